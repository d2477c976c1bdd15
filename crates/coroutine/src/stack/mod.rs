//! Stacks: where they come from, what guards them, and what happens when one overflows.
//!
//! | file | its one idea |
//! |---|---|
//! | `slab.rs` | all stacks of a worker are slots of a few large mappings |
//! | `head.rs` | the name of its coroutine, in the page that a stack has in any case |
//! | `guard.rs` | pages that nobody can touch, without a mapping each |
//! | `overflow.rs` | a fault in such a page says which coroutine it was |

pub(crate) mod guard;
pub(crate) mod head;
pub(crate) mod overflow;
pub(crate) mod slab;

//! As many descriptors as this process may have.
//!
//! Most systems begin programs with 1024, for the sake of old ones that use `select(2)`, and let
//! each raise that itself. Each connection takes one. Only this program does so: a library has no
//! business with the limits of the process it is part of.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than any of our limits asks for; some systems allow a thousand times that.
const MOST: u64 = 1 << 20;

/// Raises the limit as far as is allowed.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(MOST, |hard| hard.min(MOST));
    if limit.current.is_some_and(|soft| soft < most) {
        // It may be forbidden all the same: then there are as many as there were.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
    }
}

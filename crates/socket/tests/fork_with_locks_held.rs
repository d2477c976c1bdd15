//! A child can print, panic and allocate, whatever the other threads of its parent were doing when
//! it was forked: they hold standard output, standard error and the allocator all the time, and
//! print panics.

mod support;

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use socket::process::{Exit, Fork};
use support::{PATIENCE, watchdog};

#[test]
fn children_print_panic_and_allocate() {
    let _watchdog = watchdog(2 * PATIENCE);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let hammers: [fn(u32); 4] = [
            |_| write!(std::io::stdout().lock(), "").unwrap(),
            |_| write!(std::io::stderr().lock(), "").unwrap(),
            |_| drop(std::panic::catch_unwind(|| panic!("as it should"))),
            |size| drop(std::hint::black_box(vec![0_u8; (size as usize % 64) * 4096 + 1])),
        ];
        for hammer in hammers {
            let over = &over;
            scope.spawn(move || (0..).take_while(|_| !over.load(SeqCst)).for_each(hammer));
        }
        for _ in 0..100 {
            let body = || {
                let text = "x".repeat(100_000);
                write!(std::io::stdout(), "{}", &text[..0]).unwrap();
                write!(std::io::stderr(), "{}", &text[..0]).unwrap();
                i32::from(text.len() != 100_000)
            };
            assert!(Fork::new().run(body).unwrap().wait().unwrap().success());
            let panics = Fork::new().run(|| panic!("as it should"));
            assert_eq!(panics.unwrap().wait().unwrap(), Exit::Code(101));
        }
        over.store(true, SeqCst);
    });
}

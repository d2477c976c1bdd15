//! How deep each stack has gone is in the list, and the deepest of all is remembered.

mod support;

use std::hint::black_box;
use std::time::Duration;

use coroutine::{Builder, Settings, Worker, list, yield_now};
use socket::Deadline;
use support::Watchdog;

const DEEP: usize = 150 * 1024;

/// Touches so much of its stack.
#[inline(never)]
fn goes_deep() {
    let room = [1_u8; DEEP];
    black_box(&room);
}

#[test]
fn each_stack_has_its_place_and_its_depth() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let worker = Worker::new(Settings::default()).unwrap();
    let (remote, stack_bytes) = (worker.remote(), Settings::default().stack_bytes);
    worker
        .run(move || {
            let (sender, receiver) = coroutine::sync::channel(2);
            for (name, deep) in [("deep", true), ("flat", false)] {
                let sender = sender.clone();
                let body = move || {
                    if deep {
                        goes_deep();
                    }
                    let here = 0_u8;
                    sender.send((name, std::ptr::from_ref(black_box(&here)) as usize)).unwrap();
                    coroutine::sleep(Duration::MAX);
                };
                let _left_alone = Builder::new().name(name).spawn(body).unwrap();
            }
            let places = [receiver.recv().unwrap(), receiver.recv().unwrap()];
            yield_now();
            let listed = remote.list(usize::MAX).wait(Deadline::Never).unwrap();
            let (mine, others) = (list(), &listed.coroutines);
            let stacks = |list: &[coroutine::Described]| {
                list.iter().map(|one| (one.stack.clone(), one.touched)).collect::<Vec<_>>()
            };
            assert_eq!(stacks(&mine[1..]), stacks(&others[1..]), "both ways to ask agree");
            let of = |name: &str| others.iter().find(|one| one.name == name).unwrap();
            for (name, place) in places {
                // A sanitizer puts such a variable elsewhere.
                let inside = of(name).stack.contains(&place) || cfg!(feature = "asan");
                assert!(inside, "{name} is at {place:#x}: {others:?}");
                assert_eq!(of(name).stack.len(), stack_bytes);
            }
            let (deep, flat) = (of("deep").touched, of("flat").touched);
            assert!((DEEP..stack_bytes).contains(&deep), "{deep}");
            assert!((1..DEEP / 2).contains(&flat), "{flat}");
            assert_eq!((listed.deepest, listed.stack_bytes), (deep, stack_bytes));
        })
        .unwrap();
}

#[test]
fn a_deep_one_that_has_ended_is_remembered() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let worker = Worker::new(Settings::default()).unwrap();
    let remote = worker.remote();
    worker
        .run(move || {
            coroutine::spawn(goes_deep).join().unwrap();
            let deepest = |wait| remote.list(0).wait(wait).unwrap().deepest;
            let seen = deepest(Deadline::Never);
            assert!(seen >= DEEP, "{seen}");
            coroutine::spawn(|| {}).join().unwrap();
            assert_eq!(deepest(Deadline::Never), seen);
        })
        .unwrap();
}

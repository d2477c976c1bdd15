//! Accept loops let in as many as fit, and sleep only while none does.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use loom::thread;

use crate::atomic::AtomicUsize;
use crate::explore;
use crate::places::{Door, Places};

/// What an accept loop does for one connection that waits at its listener: which it polls only
/// where there is room, so that it sleeps only where there is none.
fn enter(places: &Places, door: &Door) {
    loop {
        if !places.ask_for_room(door) {
            door.room.wait().unwrap();
        } else if places.reserve() {
            return places.take();
        }
    }
}

/// What the end of a connection does.
fn leave(places: &Places) {
    places.vacate();
    places.closed();
    places.finish();
}

#[test]
fn a_loop_that_found_it_full_is_woken() {
    explore(3, || {
        let places = Arc::new(Places::new(1));
        let door = places.open_door();
        enter(&places, &door);
        let handler = Arc::clone(&places);
        let handler = thread::spawn(move || leave(&handler));
        enter(&places, &door);
        handler.join().unwrap();
    });
}

#[test]
fn of_two_loops_at_the_last_place_both_get_in_in_the_end() {
    explore(2, || {
        let places = Arc::new(Places::new(1));
        let inside = Arc::new(AtomicUsize::default());
        let doors = [(); 2].map(|()| places.open_door());
        let loops = doors.map(|door| {
            let (places, inside) = (Arc::clone(&places), Arc::clone(&inside));
            thread::spawn(move || {
                enter(&places, &door);
                assert_eq!(inside.fetch_add(1, SeqCst), 0, "more than fit");
                inside.fetch_sub(1, SeqCst);
                leave(&places);
            })
        });
        loops.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!((places.open(), places.unfinished()), (0, 0));
    });
}

/// Another loop's reservation comes to nothing: it had seen a connection that was gone.
#[test]
fn a_place_that_was_kept_in_vain_wakes_who_waits_for_it() {
    explore(3, || {
        let places = Arc::new(Places::new(1));
        let door = places.open_door();
        assert!(places.reserve());
        let other = Arc::clone(&places);
        let other = thread::spawn(move || other.vacate());
        enter(&places, &door);
        other.join().unwrap();
    });
}

/// It was free for a moment only, while the loop wrote its wish down, and is free again later.
#[test]
fn a_place_that_was_taken_again_is_not_waited_for_in_vain() {
    explore(3, || {
        let places = Arc::new(Places::new(1));
        let door = places.open_door();
        assert!(places.reserve());
        let other = Arc::clone(&places);
        let other = thread::spawn(move || {
            other.vacate();
            if other.reserve() {
                other.vacate();
            }
        });
        enter(&places, &door);
        other.join().unwrap();
    });
}

/// A listener that rests is woken by a close, though there was room all the time.
#[test]
fn a_close_ends_a_rest() {
    explore(3, || {
        let places = Arc::new(Places::new(2));
        let door = places.open_door();
        enter(&places, &door);
        places.ask_for_close(&door);
        let handler = Arc::clone(&places);
        let handler = thread::spawn(move || leave(&handler));
        door.room.wait().unwrap();
        handler.join().unwrap();
    });
}

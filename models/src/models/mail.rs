//! A worker sleeps over no letter, and is not woken for nothing.
//!
//! The bell, an eventfd in the product, is loom's `Notify`: it too keeps one ring.

use std::sync::Arc;

use loom::sync::Notify;
use loom::thread;

use super::explore;
use crate::mailbox::Mailbox;

struct Post {
    mailbox: Mailbox<u32>,
    bell: Notify,
}

impl Post {
    fn new() -> Arc<Post> {
        Arc::new(Post { mailbox: Mailbox::new(), bell: Notify::new() })
    }

    fn post(&self, letter: u32) -> Result<(), u32> {
        if self.mailbox.post(letter)? {
            self.bell.notify();
        }
        Ok(())
    }

    /// What a worker does until it has so many letters. If it slept over one, nobody would be left
    /// to ring, and the model would stand still.
    fn read(&self, count: usize) -> Vec<u32> {
        let (mut all, mut taken) = (Vec::new(), Vec::new());
        loop {
            if self.mailbox.has_mail() {
                self.mailbox.take(&mut taken);
                all.append(&mut taken);
            }
            if all.len() >= count {
                return all;
            }
            if self.mailbox.fall_asleep() {
                self.bell.wait();
                self.mailbox.awake();
            }
        }
    }
}

#[test]
fn no_letter_is_slept_over() {
    explore(3, || {
        let post = Post::new();
        let other = Arc::clone(&post);
        let thread = thread::spawn(move || {
            other.post(1).unwrap();
            other.post(2).unwrap();
        });
        assert_eq!(post.read(2), [1, 2]);
        thread.join().unwrap();
    });
}

#[test]
fn two_may_post_at_once() {
    explore(2, || {
        let post = Post::new();
        let threads = [1, 2].map(|letter| {
            let post = Arc::clone(&post);
            thread::spawn(move || post.post(letter).unwrap())
        });
        assert_eq!(post.read(2).iter().sum::<u32>(), 3);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_letter_is_read_or_comes_back() {
    explore(3, || {
        let post = Post::new();
        let other = Arc::clone(&post);
        let thread = thread::spawn(move || other.post(1).is_ok());
        let mut taken = Vec::new();
        post.mailbox.close(&mut taken);
        assert_eq!(thread.join().unwrap(), taken == [1]);
        assert_eq!(post.post(2), Err(2));
    });
}

#[test]
fn only_a_sleeper_is_rung_for_and_only_once() {
    explore(1, || {
        let mailbox = Mailbox::new();
        assert_eq!(mailbox.post('a'), Ok(false));
        assert!(!mailbox.fall_asleep(), "there is mail");
        let mut taken = Vec::new();
        mailbox.take(&mut taken);
        assert_eq!(taken, ['a']);
        assert!(mailbox.fall_asleep());
        assert_eq!(mailbox.post('b'), Ok(true));
        assert_eq!(mailbox.post('c'), Ok(false));
        mailbox.awake();
        assert_eq!(mailbox.post('d'), Ok(false));
        taken.clear();
        mailbox.close(&mut taken);
        assert_eq!(taken, ['b', 'c', 'd']);
        assert_eq!(mailbox.post('e'), Err('e'));
    });
}

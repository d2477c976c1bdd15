//! What is open at a server: its links, and how many each address has.
//!
//! Links stand in a list with room for the next where one has gone, so that an open connection
//! costs two words here, and is entered and taken out without a search.
//!
//! What it deliberately does not have: an order. Who wants one sorts by the numbers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use socket::process::SharedWords;

use crate::link::{self, Link, Slot};
use crate::running::LINKS;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Registry {
    links: Vec<Option<Entry>>,
    /// Places of that list which are empty.
    free: Vec<u32>,
    /// Slots of links that are over, and how many have ever been used.
    free_slots: Vec<usize>,
    used_slots: usize,
    per_address: HashMap<IpAddr, usize>,
}

struct Entry {
    id: u64,
    link: Arc<Link>,
}

impl Registry {
    /// Words for one more link, where links are shared.
    pub(crate) fn slot(&mut self, words: &Arc<SharedWords>) -> Option<Slot> {
        let at = self.free_slots.pop().or_else(|| {
            let at = LINKS + self.used_slots * link::WORDS;
            let fits = at + link::WORDS <= words.len();
            self.used_slots += usize::from(fits);
            fits.then_some(at)
        })?;
        Some(Slot { words: Arc::clone(words), at })
    }

    /// Counts one more of this address; false if it has as many as it may.
    pub(crate) fn count(&mut self, ip: IpAddr, limit: usize) -> bool {
        let count = self.per_address.entry(counted_as(ip)).or_default();
        let fits = *count < limit;
        *count += usize::from(fits);
        fits
    }

    /// Counts it no more.
    pub(crate) fn discount(&mut self, ip: IpAddr) {
        let address = counted_as(ip);
        match self.per_address.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.per_address.remove(&address)),
        }
    }

    /// Enters a link and answers where.
    pub(crate) fn enter(&mut self, id: u64, link: Arc<Link>) -> u32 {
        let entry = Some(Entry { id, link });
        match self.free.pop() {
            Some(at) => {
                self.links[at as usize] = entry;
                at
            }
            None => {
                self.links.push(entry);
                u32::try_from(self.links.len() - 1).expect("there are not so many descriptors")
            }
        }
    }

    /// Takes out the link that was entered there.
    pub(crate) fn leave(&mut self, at: u32) -> Option<Arc<Link>> {
        let entry = self.links[at as usize].take()?;
        self.free.push(at);
        self.free_slots.extend(entry.link.slot());
        Some(entry.link)
    }

    /// All that is open, with its number.
    pub(crate) fn open(&self) -> impl Iterator<Item = (u64, &Arc<Link>)> {
        self.links.iter().flatten().map(|entry| (entry.id, &entry.link))
    }
}

/// The address a connection counts for: one household of IPv6 has a whole /64 to itself.
fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_makes_room_for_the_next() {
        let mut registry = Registry::default();
        let mut enter = |id| registry.enter(id, Arc::new(Link::new(None, None, 0)));
        assert_eq!([enter(1), enter(2), enter(3)], [0, 1, 2]);
        assert!(registry.leave(1).is_some() && registry.leave(1).is_none());
        let ids = |registry: &Registry| registry.open().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(&registry), [1, 3]);
        assert_eq!(registry.enter(4, Arc::new(Link::new(None, None, 0))), 1);
        assert_eq!(ids(&registry), [1, 4, 3]);
    }

    #[test]
    fn a_household_counts_as_one() {
        let mut registry = Registry::default();
        let [one, other, v4]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::2", "::ffff:192.0.2.1"].map(|ip| ip.parse().unwrap());
        assert!(registry.count(one, 2) && registry.count(other, 2) && !registry.count(one, 2));
        assert!(registry.count(v4, 1) && !registry.count("192.0.2.1".parse().unwrap(), 1));
        registry.discount(other);
        assert!(registry.count(one, 2));
    }
}

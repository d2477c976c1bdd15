//! Rooms and names: who is where, and what goes to whom.
//!
//! One lock holds all of it. Nothing waits under the lock: a line is posted, to each connection's
//! own queue. A member whose queue is full loses its connection, see [`Writer::post`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use switchboard::Writer;

/// Lines of a room that are shown to whoever comes in.
const HISTORY_LINES: usize = 20;
/// Rooms there may be, so that nobody can fill the memory with empty ones.
const ROOMS_MAX: usize = 1000;
/// Where everybody begins.
const LOBBY: &str = "lobby";

/// A line on its way, shared by all who get it.
type Line = Arc<[u8]>;

/// All rooms.
#[derive(Default)]
pub(super) struct Hub(Mutex<Rooms>);

#[derive(Default)]
struct Rooms {
    rooms: HashMap<String, Room>,
    /// In which room each name is.
    names: HashMap<String, String>,
}

#[derive(Default)]
struct Room {
    members: BTreeMap<String, Writer>,
    history: VecDeque<Line>,
}

/// A name that is taken, until it is dropped.
pub(super) struct Member {
    hub: Arc<Hub>,
    name: String,
    room: String,
    writer: Writer,
}

impl Hub {
    /// Lets somebody into the lobby; `None` if the name is taken.
    pub(super) fn enter(self: &Arc<Self>, name: &str, writer: Writer) -> Option<Member> {
        let mut rooms = self.lock();
        if rooms.names.contains_key(name) {
            return None;
        }
        rooms.names.insert(name.to_owned(), LOBBY.to_owned());
        let (name, room) = (name.to_owned(), LOBBY.to_owned());
        let member = Member { hub: Arc::clone(self), name, room, writer };
        rooms.arrive(&member, " /help says what there is.");
        Some(member)
    }

    /// Nothing that panics runs under the lock, so it is sound even after a panic.
    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Says it to everybody else in the room.
    pub(super) fn say(&self, text: &str) {
        let line = line(&format!("{}: {text}\n", self.name));
        let mut rooms = self.hub.lock();
        let room = rooms.rooms.entry(self.room.clone()).or_default();
        if room.history.len() == HISTORY_LINES {
            room.history.pop_front();
        }
        room.history.push_back(Arc::clone(&line));
        room.send(&line, &self.name);
    }

    /// Goes to another room.
    pub(super) fn join(&mut self, to: &str) {
        let hub = Arc::clone(&self.hub);
        let mut rooms = hub.lock();
        if to == self.room {
            return self.tell(&format!("* You are in {to} already.\n"));
        }
        if !rooms.has_room_for(to) {
            return self.tell("* There are too many rooms.\n");
        }
        rooms.depart(&self.name, &self.room);
        self.room = to.to_owned();
        rooms.names.insert(self.name.clone(), self.room.clone());
        rooms.arrive(self, "");
    }

    /// Takes another name.
    pub(super) fn rename(&mut self, to: &str) {
        let hub = Arc::clone(&self.hub);
        let mut rooms = hub.lock();
        if rooms.names.contains_key(to) {
            return self.tell(&format!("* {to} is taken.\n"));
        }
        rooms.names.remove(&self.name);
        rooms.names.insert(to.to_owned(), self.room.clone());
        let from = std::mem::replace(&mut self.name, to.to_owned());
        if let Some(room) = rooms.rooms.get_mut(&self.room) {
            // A member that has been cut off is not let in again.
            if let Some(writer) = room.members.remove(&from) {
                room.members.insert(to.to_owned(), writer);
            }
            room.send(&line(&format!("* {from} is now {to}\n")), to);
        }
        self.tell(&format!("* You are {to}.\n"));
    }

    /// Says who is in the room.
    pub(super) fn who(&self) {
        let rooms = self.hub.lock();
        let members = rooms.rooms.get(&self.room).map(|room| &room.members);
        let names: Vec<_> = members.into_iter().flat_map(BTreeMap::keys).cloned().collect();
        self.tell(&format!("* In {}: {}\n", self.room, names.join(", ")));
    }

    /// Says something to this member only.
    pub(super) fn tell(&self, text: &str) {
        // Whoever is gone need not hear it.
        let _ = self.writer.post(&line(text));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut rooms = self.hub.lock();
        rooms.names.remove(&self.name);
        rooms.depart(&self.name, &self.room);
    }
}

impl Rooms {
    /// Puts a member into its room, tells the others, and tells it who is there and what was said.
    fn arrive(&mut self, member: &Member, more: &str) {
        let room = self.rooms.entry(member.room.clone()).or_default();
        room.send(&line(&format!("* {} is here\n", member.name)), &member.name);
        let others: Vec<_> = room.members.keys().cloned().collect();
        let company = match others.is_empty() {
            true => "alone".to_owned(),
            false => format!("with {}", others.join(", ")),
        };
        let (name, place) = (&member.name, &member.room);
        member.tell(&format!("* You are {name}, in {place}, {company}.{more}\n"));
        for line in &room.history {
            let _ = member.writer.post(line);
        }
        room.members.insert(member.name.clone(), member.writer.clone());
    }

    /// Takes a member out of its room. An empty room is kept for its history, while there is room.
    fn depart(&mut self, name: &str, from: &str) {
        let Some(room) = self.rooms.get_mut(from) else { return };
        room.members.remove(name);
        room.send(&line(&format!("* {name} has left\n")), name);
        if room.members.is_empty() && room.history.is_empty() {
            self.rooms.remove(from);
        }
    }

    /// Whether there can be a room of that name; makes way if need be, by forgetting an empty one.
    fn has_room_for(&mut self, name: &str) -> bool {
        if self.rooms.len() < ROOMS_MAX || self.rooms.contains_key(name) {
            return true;
        }
        let empty = self.rooms.iter().find(|(_, room)| room.members.is_empty());
        let empty = empty.map(|(name, _)| name.clone());
        empty.is_some_and(|name| self.rooms.remove(&name).is_some())
    }
}

impl Room {
    /// Posts a line to everybody but `except`. Who has no room for it is out.
    fn send(&mut self, line: &Line, except: &str) {
        self.members.retain(|name, writer| name == except || writer.post(line));
    }
}

fn line(text: &str) -> Line {
    Arc::from(text.as_bytes())
}

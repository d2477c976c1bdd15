//! Who takes part: in a run, by what the command line asks for, and in a cell, by what each serves
//! and how many connections it is made for.

use super::program::Program;
use super::{Body, PEERS, Service, Setup, switchboard};
use std::io;

/// A peer that takes part, with what it serves.
pub(crate) struct Contestant {
    pub(crate) name: String,
    /// How many connections it is asked to hold at most.
    pub(crate) holds: usize,
    /// For each service it has the program, or the reason why it cannot run here.
    pub(crate) programs: Vec<(Service, Result<Program, String>)>,
}

impl Contestant {
    /// The program for a service; `None` when it has none.
    pub(crate) fn program(&self, service: Service) -> Option<&Result<Program, String>> {
        self.programs.iter().find(|(known, _)| *known == service).map(|(_, program)| program)
    }
}

/// Looks each wanted peer up on this machine. The reference comes first and always takes part.
///
/// # Errors
///
/// `InvalidInput` when a name is not in the list.
pub(crate) fn contestants(setup: &Setup) -> io::Result<Vec<Contestant>> {
    let mut all = Vec::new();
    for peer in PEERS {
        let able = (peer.needs)();
        let mut programs = Vec::new();
        for (service, body) in peer.bodies {
            let program = match (&able, body) {
                (Err(why), _) => Err(why.clone()),
                (_, Body::Inside(_) | Body::Datagrams(_)) => {
                    Ok(Program::ourselves(peer.name, *service, peer.library)?)
                }
                (_, Body::Outside(prepare)) => prepare(*service),
            };
            programs.push((*service, program));
        }
        all.push(Contestant { name: peer.name.to_owned(), holds: peer.holds, programs });
    }
    all.extend(switchboard::engines(setup)?);
    if let Some(name) = std::iter::once(&setup.reference)
        .chain(&setup.wanted)
        .find(|name| !all.iter().any(|contestant| is_called(contestant, name)))
    {
        let known: Vec<_> = all.iter().map(|contestant| contestant.name.as_str()).collect();
        let message = format!("no peer is called {name} (there are {})", known.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let at = all.iter().position(|contestant| is_called(contestant, &setup.reference));
    all[..=at.expect("every name was found above")].rotate_right(1);
    let mut index = 0;
    all.retain(|contestant| {
        index += 1;
        let Setup { wanted, unwanted, .. } = setup;
        let wanted = wanted.is_empty() || wanted.iter().any(|name| is_called(contestant, name));
        let unwanted = unwanted.iter().any(|name| is_called(contestant, name));
        index == 1 || wanted && !unwanted
    });
    Ok(all)
}

/// Whether a name on the command line means this one. The product's alone means all its engines,
/// an engine's all its drivers; while nobody knows those, because it is not built, any of them
/// means the product.
fn is_called(contestant: &Contestant, name: &str) -> bool {
    let part_of = |name: &str, whole: &str| {
        whole.starts_with(switchboard::PREFIX)
            && name.strip_prefix(whole).is_some_and(|part| part.starts_with('-'))
    };
    let known = &contestant.name;
    known == name || part_of(known, name) || known == switchboard::PREFIX && part_of(name, known)
}

/// Who takes part in a cell, in the order of the contestants.
pub(crate) struct Lineup {
    /// The first of those who have the service at all.
    reference: String,
    pub(crate) able: Vec<(String, Program)>,
    /// With the reason.
    pub(crate) unable: Vec<(String, String)>,
}

impl Lineup {
    /// The same, for a cell that compares with the reference.
    ///
    /// # Errors
    ///
    /// When the reference cannot take part.
    pub(crate) fn with_reference(self) -> io::Result<Lineup> {
        match self.unable.iter().find(|(name, _)| *name == self.reference) {
            None => Ok(self),
            Some((name, why)) => {
                Err(io::Error::other(format!("the reference {name} cannot take part: {why}")))
            }
        }
    }
}

/// Who serves this for so many connections at once, ready for them. Who does not have the service
/// is no part of it.
pub(crate) fn lineup(contestants: &[Contestant], service: Service, connections: usize) -> Lineup {
    let mut lineup = Lineup { reference: String::new(), able: Vec::new(), unable: Vec::new() };
    for contestant @ Contestant { name, holds, .. } in contestants {
        let Some(program) = contestant.program(service) else { continue };
        if lineup.reference.is_empty() {
            lineup.reference.clone_from(name);
        }
        match program {
            _ if *holds < connections => {
                let many =
                    if *holds == 1 { "one connection".to_owned() } else { format!("{holds}") };
                let why = format!("it is asked to hold {many} at most");
                lineup.unable.push((name.clone(), why));
            }
            Ok(program) => lineup.able.push((name.clone(), program.clone().allowing(connections))),
            Err(why) => lineup.unable.push((name.clone(), why.clone())),
        }
    }
    lineup
}

#[cfg(test)]
mod tests {
    use super::super::HOLDS_ANY;
    use super::*;

    fn contestant(name: &str, holds: usize, program: Result<Program, String>) -> Contestant {
        let programs = vec![(Service::Echo, program)];
        Contestant { name: name.to_owned(), holds, programs }
    }

    fn program() -> Result<Program, String> {
        Ok(Program::ourselves("any", Service::Echo, None).unwrap())
    }

    #[test]
    fn the_product_stands_for_its_engines_and_for_what_it_may_have() {
        let called = |known: &str, name| is_called(&contestant(known, 1, program()), name);
        assert!(called("switchboard-serial", "switchboard"));
        assert!(called("switchboard", "switchboard-serial"));
        assert!(called("switchboard-coroutines-uring", "switchboard-coroutines"));
        assert!(!called("switchboard-coroutines", "switchboard-coroutines-uring"));
        assert!(called("bare-epoll", "bare-epoll"));
        assert!(!called("switchboard-serial", "switchboard-threads"));
        assert!(!called("bare-epoll", "bare"));
    }

    #[test]
    fn who_cannot_hold_the_connections_is_left_out_with_the_reason() {
        let contestants = [
            contestant("any", HOLDS_ANY, program()),
            contestant("one", 1, program()),
            contestant("missing", HOLDS_ANY, Err("not installed".to_owned())),
        ];
        let names = |list: Lineup| list.able.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(lineup(&contestants, Service::Echo, 1)), ["any", "one"]);
        assert_eq!(names(lineup(&contestants, Service::Echo, 2)), ["any"]);
        let unable = lineup(&contestants, Service::Echo, 2).with_reference().unwrap().unable;
        assert!(unable[0].1.contains("one connection") && unable[1].1 == "not installed");
        assert!(lineup(&contestants[1..], Service::Echo, 2).with_reference().is_err());
    }

    #[test]
    fn who_has_not_the_service_is_no_part_of_the_cell() {
        let mut contestants = [contestant("a", 9, program()), contestant("b", 9, program())];
        contestants[1].programs[0].0 = Service::Lines;
        let lines = lineup(&contestants, Service::Lines, 1).with_reference().unwrap();
        assert_eq!((lines.able[0].0.as_str(), lines.able.len(), lines.unable.len()), ("b", 1, 0));
    }
}

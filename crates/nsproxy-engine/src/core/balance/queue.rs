//! Sessions that wait for a server to have room: one line for the pool, and one for each server that some of them must
//! have. Whoever came first is first, across both.

use std::collections::BTreeMap;

/// A place in the queue. Tickets are given out in order, and never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// How somebody has waited so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// For one server and no other.
    pub for_one: bool,
    /// Those of its line whose turn has come since it joined, itself not among them.
    pub overtaken_by: u32,
}

/// Who waits. `W` is whatever the caller needs to find the session again.
#[derive(Debug)]
pub(super) struct Queue<W> {
    issued: u64,
    /// For any server.
    any: Line<W>,
    /// For this server and no other.
    fixed: Vec<Line<W>>,
    waiting: usize,
}

/// Those who wait for the same.
#[derive(Debug)]
struct Line<W> {
    /// Each with the number of those whose turn had come before it joined.
    waiting: BTreeMap<Ticket, (u32, W)>,
    /// Whose turn has come. Only differences count, so it may go round.
    served: u32,
    /// The most that ever waited at a time.
    most: usize,
}

impl<W> Queue<W> {
    pub(super) fn new(servers: usize) -> Self {
        Self {
            issued: 0,
            any: Line::default(),
            fixed: (0..servers).map(|_| Line::default()).collect(),
            waiting: 0,
        }
    }

    /// Puts somebody at the end of the line, for `server` only if there is one.
    pub(super) fn push(&mut self, server: Option<usize>, waiter: W) -> Ticket {
        self.issued += 1;
        let ticket = Ticket(self.issued);
        let line = match server {
            Some(server) => &mut self.fixed[server],
            None => &mut self.any,
        };
        line.waiting.insert(ticket, (line.served, waiter));
        line.most = line.most.max(line.waiting.len());
        self.waiting += 1;
        ticket
    }

    /// The first of those whom `server` can serve: its turn has come.
    pub(super) fn pop(&mut self, server: usize) -> Option<(Ticket, Waited, W)> {
        let for_one = match (self.fixed[server].first(), self.any.first()) {
            (Some(fixed), Some(any)) => fixed < any,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return None,
        };
        let line = if for_one {
            &mut self.fixed[server]
        } else {
            &mut self.any
        };
        let (ticket, (before, waiter)) = line.waiting.pop_first()?;
        let overtaken_by = line.served.wrapping_sub(before);
        line.served = line.served.wrapping_add(1);
        self.waiting -= 1;
        let waited = Waited {
            for_one,
            overtaken_by,
        };
        Some((ticket, waited, waiter))
    }

    /// How somebody has waited who still does, and the server that it waits for if it must be that one.
    pub(super) fn waited(&self, ticket: Ticket) -> Option<(Option<usize>, Waited)> {
        let fixed = self.fixed.iter().enumerate();
        let mut lines =
            std::iter::once((None, &self.any)).chain(fixed.map(|(server, line)| (Some(server), line)));
        lines.find_map(|(server, line)| {
            let (before, _) = line.waiting.get(&ticket)?;
            let waited = Waited {
                for_one: server.is_some(),
                overtaken_by: line.served.wrapping_sub(*before),
            };
            Some((server, waited))
        })
    }

    /// Takes somebody out of the line, who may have left it already.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<W> {
        let mut lines = std::iter::once(&mut self.any).chain(&mut self.fixed);
        let removed = lines.find_map(|line| line.waiting.remove(&ticket));
        self.waiting -= usize::from(removed.is_some());
        removed.map(|(_, waiter)| waiter)
    }

    /// Those who wait for one server only may have any from now on; and there are so many `servers`.
    pub(super) fn release_fixed(&mut self, servers: usize) {
        for line in &mut self.fixed {
            self.any.append(line);
            // It may be another server's from now on.
            line.most = 0;
        }
        self.fixed.resize_with(servers, Line::default);
    }

    /// The same for those who wait for `server`.
    pub(super) fn release_from(&mut self, server: usize) {
        self.any.append(&mut self.fixed[server]);
    }

    /// How many wait for this server only.
    pub(super) fn waiting_for(&self, server: usize) -> usize {
        self.fixed[server].waiting.len()
    }

    /// The most that ever waited for this server only.
    pub(super) fn most_for(&self, server: usize) -> usize {
        self.fixed[server].most
    }

    /// How many wait for any server.
    pub(super) fn waiting_for_any(&self) -> usize {
        self.any.waiting.len()
    }

    /// The most that ever did.
    pub(super) const fn most_for_any(&self) -> usize {
        self.any.most
    }

    /// How many wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }
}

impl<W> Line<W> {
    fn first(&self) -> Option<Ticket> {
        self.waiting.first_key_value().map(|(ticket, _)| *ticket)
    }

    /// Lets all of `other` wait here, with what they have waited.
    fn append(&mut self, other: &mut Self) {
        let moved = std::mem::take(&mut other.waiting).into_iter();
        let offset = self.served.wrapping_sub(other.served);
        let moved = moved.map(|(ticket, (before, waiter))| (ticket, (before.wrapping_add(offset), waiter)));
        self.waiting.extend(moved);
        self.most = self.most.max(self.waiting.len());
    }
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            served: 0,
            most: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_come_is_the_first_to_go_whichever_line_it_is_in() {
        let mut queue = Queue::new(2);
        queue.push(None, "a");
        queue.push(Some(0), "b");
        queue.push(Some(1), "c");
        queue.push(None, "d");
        let order = [0, 0, 0, 1, 1].map(|server| queue.pop(server).map(|(.., waiter)| waiter));
        assert_eq!(order, [Some("a"), Some("b"), Some("d"), Some("c"), None]);
        assert_eq!(queue.waiting(), 0);
    }

    #[test]
    fn who_has_left_the_line_is_not_called() {
        let mut queue = Queue::new(1);
        let first = queue.push(None, "a");
        queue.push(None, "b");
        assert_eq!(queue.remove(first), Some("a"));
        assert_eq!(queue.remove(first), None);
        assert_eq!(queue.pop(0).map(|(.., waiter)| waiter), Some("b"));
    }

    #[test]
    fn who_waits_is_told_how_many_of_its_line_came_first() {
        let mut queue = Queue::new(1);
        let names = ["a", "b", "c", "d"];
        let tickets = names.map(|name| queue.push((name == "d").then_some(0), name));
        queue.remove(tickets[1]);
        let waited = |for_one, overtaken_by| Waited {
            for_one,
            overtaken_by,
        };
        assert_eq!(queue.waited(tickets[2]), Some((None, waited(false, 0))));
        assert_eq!(queue.pop(0), Some((tickets[0], waited(false, 0), "a")));
        assert_eq!(queue.waited(tickets[2]), Some((None, waited(false, 1))));
        assert_eq!(queue.waited(tickets[3]), Some((Some(0), waited(true, 0))));
        queue.release_from(0);
        assert_eq!(queue.pop(0), Some((tickets[2], waited(false, 1), "c")));
        assert_eq!(queue.pop(0), Some((tickets[3], waited(false, 1), "d")));
        assert_eq!(queue.waited(tickets[3]), None);
    }
}

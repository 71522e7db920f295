//! Sessions that wait for a server to have room: one line for the pool, and one for each server that some of them must
//! have. Whoever came first is first, across both.

use std::collections::BTreeMap;

/// A place in the queue. Tickets are given out in order, and never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Who waits. `W` is whatever the caller needs to find the session again.
#[derive(Debug)]
pub(super) struct Queue<W> {
    issued: u64,
    /// For any server.
    any: BTreeMap<Ticket, W>,
    /// For this server and no other.
    fixed: Vec<BTreeMap<Ticket, W>>,
    waiting: usize,
}

impl<W> Queue<W> {
    pub(super) fn new(servers: usize) -> Self {
        Self {
            issued: 0,
            any: BTreeMap::new(),
            fixed: (0..servers).map(|_| BTreeMap::new()).collect(),
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
        line.insert(ticket, waiter);
        self.waiting += 1;
        ticket
    }

    /// The first of those whom `server` can serve.
    pub(super) fn pop(&mut self, server: usize) -> Option<(Ticket, W)> {
        let fixed = self.fixed[server].first_key_value().map(|(ticket, _)| *ticket);
        let any = self.any.first_key_value().map(|(ticket, _)| *ticket);
        let line = match (fixed, any) {
            (Some(fixed), Some(any)) if any < fixed => &mut self.any,
            (Some(_), _) => &mut self.fixed[server],
            (None, Some(_)) => &mut self.any,
            (None, None) => return None,
        };
        let first = line.pop_first();
        self.waiting -= usize::from(first.is_some());
        first
    }

    /// Takes somebody out of the line, who may have left it already.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<W> {
        let mut lines = std::iter::once(&mut self.any).chain(&mut self.fixed);
        let removed = lines.find_map(|line| line.remove(&ticket));
        self.waiting -= usize::from(removed.is_some());
        removed
    }

    /// Those who wait for one server only may have any from now on; and there are so many `servers`.
    pub(super) fn release_fixed(&mut self, servers: usize) {
        for line in &mut self.fixed {
            self.any.append(line);
        }
        self.fixed.resize_with(servers, BTreeMap::new);
    }

    /// The same for those who wait for `server`.
    pub(super) fn release_from(&mut self, server: usize) {
        self.any.append(&mut self.fixed[server]);
    }

    /// How many wait for this server only.
    pub(super) fn waiting_for(&self, server: usize) -> usize {
        self.fixed[server].len()
    }

    /// How many wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
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
        let order = [0, 0, 0, 1, 1].map(|server| queue.pop(server).map(|(_, waiter)| waiter));
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
        assert_eq!(queue.pop(0).map(|(_, waiter)| waiter), Some("b"));
    }
}

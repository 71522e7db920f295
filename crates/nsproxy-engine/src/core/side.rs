//! The two connections of a session and its two directions. Whatever differs only in the side takes one of these.

/// One of the two connections of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The connection that was accepted.
    Downstream = 0,
    /// The connection that was opened.
    Upstream = 1,
}

impl Side {
    /// Both, downstream first.
    pub const BOTH: [Self; 2] = [Self::Downstream, Self::Upstream];

    /// The other connection.
    #[inline]
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Downstream => Self::Upstream,
            Self::Upstream => Self::Downstream,
        }
    }

    /// 0 for downstream, 1 for upstream: an index into an array of two.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The flow that is fed from this connection.
    #[inline]
    pub const fn outgoing(self) -> Direction {
        match self {
            Self::Downstream => Direction::Up,
            Self::Upstream => Direction::Down,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Downstream => "client",
            Self::Upstream => "server",
        })
    }
}

/// One of the two flows of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From downstream to upstream: requests.
    Up = 0,
    /// From upstream to downstream: responses.
    Down = 1,
}

impl Direction {
    /// Both, up first.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];

    /// The connection that this flow reads.
    #[inline]
    pub const fn from(self) -> Side {
        match self {
            Self::Up => Side::Downstream,
            Self::Down => Side::Upstream,
        }
    }

    /// The connection that this flow writes.
    #[inline]
    pub const fn to(self) -> Side {
        self.from().other()
    }

    /// 0 for up, 1 for down: an index into an array of two.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

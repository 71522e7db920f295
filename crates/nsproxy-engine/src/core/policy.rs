//! Which namespace a connection belongs to, and which one its server is reached in.
//!
//! A connection's namespace is its listener's, unless a PROXY header that may select one names another. What HAProxy
//! does differently (an unlisted name silently falls back, LOCAL headers select, every name of the configuration can be
//! selected) lets a tenant land in the wrong network; here that is impossible by type: [`ClientNetns::Unlisted`] has no
//! namespace that a server with `namespace *` could use.

/// The namespace of a client's connection. `N` is a handle of the caller's; `None` is the default namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientNetns<N> {
    /// The listener's, or the one that a PROXY header selected.
    Known(Option<N>),
    /// The PROXY header names a namespace that it may not select; the listener's applies where it is not followed.
    Unlisted {
        /// The listener's.
        listener: Option<N>,
    },
}

/// What a received PROXY header says of the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderNetns<'a> {
    /// There was no header, or it has no NETNS TLV, or it is LOCAL: the proxy's own connection never selects.
    Silent,
    /// The value of the NETNS TLV.
    Named(&'a [u8]),
}

impl<N: Clone> ClientNetns<N> {
    /// Decides, with `listed` telling which names a header may select.
    pub fn decide(
        listener: Option<&N>,
        header: HeaderNetns<'_>,
        listed: impl Fn(&[u8]) -> Option<N>,
    ) -> Self {
        match header {
            HeaderNetns::Silent => Self::Known(listener.cloned()),
            HeaderNetns::Named(name) => match listed(name) {
                Some(netns) => Self::Known(Some(netns)),
                None => Self::Unlisted {
                    listener: listener.cloned(),
                },
            },
        }
    }

    /// The namespace for a server with `namespace *`; `Err` when the connection must be closed instead.
    ///
    /// # Errors
    ///
    /// [`Unlisted`] when the header named a namespace that it may not select.
    pub fn followed(&self) -> Result<Option<&N>, Unlisted> {
        match self {
            Self::Known(netns) => Ok(netns.as_ref()),
            Self::Unlisted { .. } => Err(Unlisted),
        }
    }

    /// The namespace for the log and for the header that is sent on.
    pub const fn reported(&self) -> Option<&N> {
        match self {
            Self::Known(netns) | Self::Unlisted { listener: netns } => netns.as_ref(),
        }
    }
}

/// The header named a namespace that it may not select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlisted;

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(listener: Option<&'static str>, header: HeaderNetns<'_>) -> ClientNetns<&'static str> {
        ClientNetns::decide(listener.as_ref(), header, |name| {
            (name == b"blue").then_some("blue")
        })
    }

    #[test]
    fn without_a_name_the_listeners_namespace_applies() {
        assert_eq!(
            decide(Some("red"), HeaderNetns::Silent).followed(),
            Ok(Some(&"red"))
        );
        assert_eq!(decide(None, HeaderNetns::Silent).followed(), Ok(None));
    }

    #[test]
    fn a_listed_name_selects() {
        let netns = decide(Some("red"), HeaderNetns::Named(b"blue"));
        assert_eq!(netns.followed(), Ok(Some(&"blue")));
        assert_eq!(netns.reported(), Some(&"blue"));
    }

    #[test]
    fn an_unlisted_name_is_never_followed_and_the_listeners_namespace_is_reported() {
        let netns = decide(Some("red"), HeaderNetns::Named(b"green"));
        assert_eq!(netns.followed(), Err(Unlisted));
        assert_eq!(netns.reported(), Some(&"red"));
        // The listener's own name is no exception: only the list decides.
        assert_eq!(
            decide(Some("red"), HeaderNetns::Named(b"red")).followed(),
            Err(Unlisted)
        );
    }
}

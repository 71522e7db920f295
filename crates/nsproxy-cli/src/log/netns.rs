//! The lines about namespaces that come, go and are replaced.

use std::fmt::{self, Display};

use nsproxy_engine::Notice;

use super::Chain;

/// What a notice says of a namespace, as a line.
pub(super) struct NetnsLine<'a>(pub(super) &'a Notice<'a>);

impl Display for NetnsLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Notice::NetnsReady { netns, id, listeners } => {
                write!(f, "netns-ready netns={netns} id={id} listeners={listeners}")
            }
            Notice::NetnsReplaced {
                netns,
                was,
                id,
                listeners,
            } => write!(
                f,
                "netns-replaced netns={netns} id={id} was={was} listeners={listeners}"
            ),
            Notice::NetnsRemoved {
                netns,
                was,
                listeners,
            } => write!(f, "netns-removed netns={netns} was={was} listeners={listeners}"),
            Notice::NetnsLeft {
                netns,
                id,
                sessions,
                patience,
            } => {
                write!(
                    f,
                    "netns-left netns={netns} id={id} sessions={sessions} reset_in_ms="
                )?;
                match patience {
                    Some(patience) => write!(f, "{}", patience.as_millis()),
                    None => f.write_str("-"),
                }
            }
            Notice::NetnsUnknown { netns, error } => {
                let error = Chain(*error);
                write!(
                    f,
                    "netns-unknown netns={netns} error=\"{error}\" action=\"asked again shortly\""
                )
            }
            Notice::NetnsUnwatched { error } => {
                let error = Chain(*error);
                write!(
                    f,
                    "netns-unwatched error=\"{error}\" action=\"tried again shortly\""
                )
            }
            Notice::ListenerFailed {
                relay,
                address,
                netns,
                error,
                again,
            } => {
                let error = Chain(*error);
                write!(
                    f,
                    "listener-failed relay={relay} address={address} netns={netns} error=\"{error}\" again_in_ms="
                )?;
                match again {
                    Some(again) => write!(f, "{}", again.as_millis()),
                    None => f.write_str("never"),
                }
            }
            Notice::ListenerOpened {
                relay,
                address,
                netns,
            } => {
                write!(f, "listener-opened relay={relay} address={address} netns={netns}")
            }
            // The others have lines of their own.
            _ => Ok(()),
        }
    }
}

//! `nsproxy netns route add|delete DESTINATION [via GATEWAY] [dev NAME] [src ADDRESS] [metric N]`, `route show`: the main
//! table.

use netns_core::links::{Destination, Links, Route};

use super::action::{self, ACTIONS, Action};
use super::context::{Context, lines};
use super::failure::{Failure, Result};
use super::json::Object;
use super::link::is_absent;
use super::words::{Words, once};

/// The words of a route, for the completions of shells too. The first is a destination.
pub(super) const WORDS: [&str; 5] = ["default", "via", "dev", "src", "metric"];

/// Keywords with one value behind each.
const KEYWORDS: &[&str] = WORDS.split_at(1).1;

pub(super) fn run(context: &Context, mut words: Words<'_>) -> Result {
    match action::choose(context, &mut words, &ACTIONS, Action::Show)? {
        Action::Show => {
            words.end()?;
            show(context)
        }
        Action::Add => NewRoute::parse(words)?.make(&mut Links::here()?),
        Action::Delete => Ok(Links::here()?.remove_route(&read(&mut words)?)?),
    }
}

/// A route that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewRoute(Route);

impl NewRoute {
    pub(super) fn parse(mut words: Words<'_>) -> Result<Self> {
        let route = read(&mut words)?;
        if route.via.is_none() && route.device.is_none() {
            return Err(Failure::usage("a route needs `via` or `dev`").at(words.end_place()));
        }
        Ok(Self(route))
    }

    pub(super) fn make(&self, links: &mut Links) -> Result {
        Ok(links.add_route(&self.0)?)
    }

    pub(super) fn is_made(&self, links: &mut Links) -> Result<bool> {
        let Route {
            via,
            device,
            source,
            metric,
            ..
        } = &self.0;
        Ok(links.list_routes()?.iter().any(|found| {
            found.network() == self.0.network()
                && found.via == *via
                && (device.is_none() || found.device == *device)
                && (source.is_none() || found.source == *source)
                && (metric.is_none() || found.metric == *metric)
        }))
    }

    /// Takes it away if it is there.
    pub(super) fn unmake(&self, links: &mut Links) -> Result {
        match links.remove_route(&self.0) {
            Err(error) if is_absent(&error) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

/// The words of a route. Only `default` or a network is a must.
fn read(words: &mut Words<'_>) -> Result<Route> {
    let first = words.require("Command line is not complete: DESTINATION [via GATEWAY] [dev NAME]")?;
    let destination = first.destination()?;
    let (mut via, mut device, mut source, mut metric) = (None, None, None, None);
    while let Some(word) = words.next() {
        match word.text.to_str() {
            Some("via") => once(&mut via, word, words.value(word)?.ip()?)?,
            Some("dev") => once(&mut device, word, words.value(word)?.utf8()?)?,
            Some("src") => once(&mut source, word, words.value(word)?.ip()?)?,
            Some("metric") => once(&mut metric, word, words.value(word)?.number_of("a metric")?)?,
            _ => {
                return Err(word.wrong(format_args!(
                    "\"{}\" is unknown here; a route has {}",
                    word.shown(),
                    KEYWORDS.join(", ")
                )));
            }
        }
    }
    if let Destination::Network { address, .. } = destination
        && let Some(other) = via
            .into_iter()
            .chain(source)
            .find(|ip| ip.is_ipv4() != address.is_ipv4())
    {
        return Err(first.wrong(format_args!(
            "{destination} and {other} are of different address families"
        )));
    }
    Ok(Route {
        via,
        device,
        source,
        // 0 leaves it to the kernel, as if nothing were said.
        metric: metric.filter(|&metric| metric != 0),
        ..Route::to(destination)
    })
}

fn show(context: &Context) -> Result {
    let routes = Links::here()?.list_routes()?;
    context.answer(lines(&routes), || routes.iter().map(object).collect())
}

fn object(route: &Route) -> Object {
    let mut object: Object = vec![("dst", route.destination.to_string().into())];
    object.extend(route.via.map(|via| ("gateway", via.to_string().into())));
    object.extend(route.device.as_deref().map(|device| ("dev", device.into())));
    object.extend(route.source.map(|source| ("prefsrc", source.to_string().into())));
    object.extend(route.metric.map(|metric| ("metric", metric.into())));
    object
}

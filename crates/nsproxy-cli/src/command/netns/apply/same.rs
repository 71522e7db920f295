//! Whether an interface that is there is the one that a line would make: what it stands on, or its other end, included.
//!
//! Later lines may move or rename either of the two, so each is looked for at every place on its way.

use netns_core::NetnsSpec;
use netns_core::links::{LinkSettings, Parent};

use super::super::context::Context;
use super::super::failure::{FAILED, Failure, Result};
use super::super::link::{NewLink, look};
use super::OpenLinks;
use super::place::Place;

/// Refuses the interface at `at` if it is not the one that `link` would make in `made_in`. `ways` says where an interface may
/// have come to since it was made. Answers where on its way the one is on which it stands, or its other end.
pub(super) fn check<'a>(
    context: &Context,
    links: &mut OpenLinks,
    link: &'a NewLink,
    made_in: Option<&'a NetnsSpec>,
    at: &Place<'_>,
    ways: impl Fn(Place<'a>) -> Vec<Place<'a>>,
) -> Result<usize> {
    let Some(found) = look(links.of(context, at.netns)?, at.link)? else {
        return Err(Failure::new(FAILED, format_args!("`{}` has just gone", at.link)));
    };
    link.check(&found)?;
    let (has, beside) = match found.settings {
        // The packets that carry a VXLAN go where it was made, wherever it has gone since.
        LinkSettings::Vxlan { device, .. } => (device.map(|index| Parent::Here { index }), made_in),
        _ => (found.parent, at.netns),
    };
    let Some(wanted) = link.base() else {
        return match has {
            Some(has) => Err(link.differs("dev", described(context, links, has, beside)?, "none")),
            None => Ok(0),
        };
    };
    let start = Place {
        netns: wanted.netns.or(made_in),
        link: wanted.name,
    };
    let Some(has) = has else {
        return Err(link.differs(wanted.word, "none", start));
    };
    for (stage, place) in ways(start.clone()).iter().enumerate() {
        if leads_to(context, links, has, beside, place)? {
            return Ok(stage);
        }
    }
    Err(link.differs(wanted.word, described(context, links, has, beside)?, start))
}

/// Whether `parent`, as an interface in `beside` calls it, is the interface at `place`.
fn leads_to(
    context: &Context,
    links: &mut OpenLinks,
    parent: Parent,
    beside: Option<&NetnsSpec>,
    place: &Place<'_>,
) -> Result<bool> {
    if !place.is_taken(context, links)? {
        return Ok(false);
    }
    let index = look(links.of(context, place.netns)?, place.link)?.map(|link| link.index);
    if index != Some(parent.index()) {
        return Ok(false);
    }
    let netns = context.open_or_current(place.netns)?;
    Ok(match parent {
        Parent::Here { .. } => netns.id()? == context.open_or_current(beside)?.id()?,
        Parent::Elsewhere { nsid: None, .. } => false,
        Parent::Elsewhere { nsid, .. } => links.of(context, beside)?.nsid_of(&netns)? == nsid,
    })
}

fn described(
    context: &Context,
    links: &mut OpenLinks,
    parent: Parent,
    beside: Option<&NetnsSpec>,
) -> Result<String> {
    Ok(match parent {
        Parent::Here { index } => {
            let all = links.of(context, beside)?.list()?;
            all.into_iter()
                .find(|link| link.index == index)
                .map_or_else(|| "gone".to_owned(), |link| format!("`{}`", link.name))
        }
        Parent::Elsewhere { nsid: Some(nsid), .. } => format!("in another namespace (id: {nsid})"),
        Parent::Elsewhere { nsid: None, .. } => "in a namespace that is going away".to_owned(),
    })
}

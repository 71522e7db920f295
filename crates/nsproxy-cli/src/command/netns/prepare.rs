//! `nsproxy netns prepare`: the directory of names as the first name makes it, for those who begin before there is one.

use super::context::Context;
use super::failure::Result;

pub(super) fn run(context: &Context) -> Result {
    Ok(context.registry.prepare()?)
}

//! The licences of everything that is linked into nsproxy are ones that it may be given away with.

use std::path::Path;

use super::Finding;
use crate::workspace::Package;

/// SPDX identifiers of permissive licences that need no more than a notice.
const ALLOWED: [&str; 10] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// A finding for each package whose licence is none of these.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let manifest = Path::new("Cargo.lock");
    packages
        .iter()
        .filter_map(|package| match &package.license {
            Some(expression) if is_allowed(expression) => None,
            Some(expression) => Some(format!("{} is under `{expression}`", package.name)),
            None => Some(format!("{} names no licence", package.name)),
        })
        .map(|message| Finding::in_file(manifest, message))
        .collect()
}

/// Whether an SPDX expression can be met with allowed licences only.
///
/// Evaluated from the inside: what is in parentheses first, then `AND`, then `OR`. The `/` of old
/// manifests means `OR`.
fn is_allowed(expression: &str) -> bool {
    let mut expression = expression.replace('/', " OR ");
    while let Some((before, inside, after)) = innermost(&expression) {
        // A name that is, or is not, on the list stands for the outcome.
        let outcome = if any_allowed(inside) { ALLOWED[0] } else { "none" };
        expression = format!("{before}{outcome}{after}");
    }
    any_allowed(&expression)
}

/// Splits round the first pair of parentheses that has no other inside.
fn innermost(expression: &str) -> Option<(&str, &str, &str)> {
    let close = expression.find(')')?;
    let open = expression[..close].rfind('(')?;
    Some((
        &expression[..open],
        &expression[open + 1..close],
        &expression[close + 1..],
    ))
}

fn any_allowed(expression: &str) -> bool {
    expression.split(" OR ").any(|choice| {
        choice
            .split(" AND ")
            .all(|licence| ALLOWED.contains(&licence.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_choice_is_enough() {
        assert!(is_allowed("MIT OR GPL-3.0-only"));
        assert!(is_allowed("Apache-2.0/MIT"));
        assert!(!is_allowed("GPL-3.0-only"));
    }

    #[test]
    fn every_licence_of_a_conjunction_must_be_allowed() {
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!is_allowed("(MIT OR Apache-2.0) AND GPL-2.0-only"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"));
        assert!(!is_allowed("MIT AND (GPL-2.0-only OR (LGPL-3.0-only AND ISC))"));
    }
}

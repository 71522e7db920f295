//! What stands behind `if` and `unless`: names of `acl`s and anonymous ones, with `or`, `||` and `!` between them.

use super::{DraftAcl, DraftRules, Needed, Needs, test};
use crate::keywords;
use crate::lower::args::Args;
use crate::lower::sink::{Sink, shown};
use crate::model::{Acl, AclId, Condition, Expression, Fetch, Method, Patterns, Peer, Term, Test};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;

/// A condition that was read; `None` inside when there is none, so that the rule always applies.
pub(crate) struct Read {
    pub(crate) condition: Option<Condition>,
    pub(in crate::lower) needs: Needed,
}

/// Takes the rest of a line: nothing, or `if` or `unless` and a condition.
pub(crate) fn condition(
    args: &mut Args<'_, '_>,
    rules: &mut DraftRules,
    own: Option<&str>,
    sink: &mut Sink<'_>,
) -> Option<Read> {
    let Some(word) = args.next() else {
        return Some(Read {
            condition: None,
            needs: Needed::default(),
        });
    };
    let unless = match &*word.text {
        "if" => false,
        "unless" => true,
        _ => {
            let error = Diagnostic::error(word.span, format!("unexpected `{}`", shown(word)));
            sink.push(error.with_help("a condition begins with `if` or `unless`"));
            return None;
        }
    };
    let mut terms = Terms {
        rules,
        own,
        any: vec![Vec::new()],
        needs: Needed::default(),
    };
    terms.take(word, args.rest(), sink)?;
    Some(Read {
        condition: Some(Condition {
            unless,
            any: terms.any,
        }),
        needs: terms.needs,
    })
}

struct Terms<'r> {
    rules: &'r mut DraftRules,
    own: Option<&'r str>,
    any: Vec<Vec<Term>>,
    needs: Needed,
}

impl Terms<'_> {
    fn take(&mut self, keyword: &Word<'_>, words: &[Word<'_>], sink: &mut Sink<'_>) -> Option<()> {
        let mut rest = words;
        let mut last = keyword;
        let mut negated = false;
        while let [word, behind @ ..] = rest {
            rest = behind;
            last = word;
            let name = word.text.trim_start_matches('!');
            negated ^= (word.text.len() - name.len()) % 2 == 1;
            match name {
                // A lone exclamation mark is for the word behind it.
                "" => continue,
                "or" | "||" => {
                    if self.any.last().is_none_or(Vec::is_empty) {
                        sink.error(word.span, format!("nothing stands before this `{name}`"));
                        return None;
                    }
                    self.any.push(Vec::new());
                }
                "{" => {
                    let acl = self.anonymous(word, &mut rest, sink)?;
                    self.push(negated, acl);
                }
                _ => {
                    let acl = self.named(word, name, sink)?;
                    self.push(negated, acl);
                }
            }
            negated = false;
        }
        if negated || self.any.last().is_none_or(Vec::is_empty) {
            let error = Diagnostic::error(
                last.span.after(),
                format!("`{}` needs a condition behind it", shown(last)),
            );
            sink.push(
                error.with_help("the name of an `acl`, or `{ FETCH PATTERN }`, such as `{ src 10.0.0.0/8 }`"),
            );
            return None;
        }
        Some(())
    }

    fn push(&mut self, negated: bool, index: usize) {
        let acl = &mut self.rules.acls[index];
        acl.is_used = true;
        self.needs = self.needs.and(acl.needs);
        if let Some(all) = self.any.last_mut() {
            all.push(Term {
                negated,
                acl: AclId(index),
            });
        }
    }

    /// `{ ... }`, of which the opening brace is taken.
    fn anonymous(&mut self, open: &Word<'_>, rest: &mut &[Word<'_>], sink: &mut Sink<'_>) -> Option<usize> {
        let Some(close) = rest.iter().position(|word| word.text == "}") else {
            let error = Diagnostic::error(open.span, "this brace is never closed").with_label("opened here");
            sink.push(error.with_help("write `{ FETCH PATTERN }`, with blanks around both braces"));
            return None;
        };
        let (words, behind) = rest.split_at(close);
        let span = open.span.to(behind[0].span);
        *rest = &behind[1..];
        if words.is_empty() {
            sink.error(span, "there is nothing between the braces");
            return None;
        }
        let (test, needs) = test(words, self.rules, self.own, sink)?;
        Some(self.add(None, test, needs, span))
    }

    fn named(&mut self, word: &Word<'_>, name: &str, sink: &mut Sink<'_>) -> Option<usize> {
        if let Some(&index) = self.rules.names.get(name) {
            return Some(index);
        }
        if let Some(test) = predefined(name) {
            let index = self.add(None, test.0, test.1, word.span);
            self.rules.names.insert(name.to_owned(), index);
            return Some(index);
        }
        if self.rules.broken.contains(name) {
            return None;
        }
        if let Some(known) = keywords::PREDEFINED_ACLS.find(name) {
            sink.refuse(word.span, &format!("the condition `{name}`"), known.why);
            return None;
        }
        let error = Diagnostic::error(
            word.span,
            format!(
                "no `acl` above is called `{}`",
                crate::values::number::shorten(name)
            ),
        );
        let near = sink.nearest(name, self.rules.names.keys().map(String::as_str));
        sink.push(match near {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help(
                "an `acl` line of this section has to stand above; without a name write `{ FETCH PATTERN }`",
            ),
        });
        None
    }

    fn add(&mut self, name: Option<String>, test: Test, needs: Needed, span: Span) -> usize {
        self.rules.acls.push(DraftAcl {
            acl: Acl {
                name,
                tests: vec![test],
            },
            span,
            is_used: true,
            needs,
        });
        self.rules.acls.len() - 1
    }
}

/// Whether a name has a meaning without an `acl` line.
fn predefined(name: &str) -> Option<(Test, Needed)> {
    let (fetch, method, patterns) = match name {
        "TRUE" => (Fetch::Bool(true), Method::Bool, Patterns::None),
        "FALSE" => (Fetch::Bool(false), Method::Bool, Patterns::None),
        "WAIT_END" => (Fetch::WaitEnd, Method::Bool, Patterns::None),
        "REQ_CONTENT" => (
            Fetch::Length(Peer::Client),
            Method::Int,
            Patterns::Numbers(vec![1..=i64::MAX]),
        ),
        "LOCALHOST" => {
            let local = vec![
                ([127, 0, 0, 0].into(), 8),
                (std::net::Ipv6Addr::LOCALHOST.into(), 128),
            ];
            (Fetch::Source, Method::Ip, Patterns::Networks(local))
        }
        _ => return None,
    };
    let needs = match fetch {
        Fetch::Length(_) => Needed::by("req.len", Needs::ClientBytes),
        _ => Needed::default(),
    };
    let expression = Expression {
        fetch,
        converters: Vec::new(),
    };
    Some((
        Test {
            expression,
            method,
            ignores_case: false,
            files: Vec::new(),
            patterns,
        },
        needs,
    ))
}

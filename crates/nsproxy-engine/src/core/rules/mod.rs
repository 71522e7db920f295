//! Rules: what is decided of a connection by what is known of it.
//!
//! Rules are data. [`Facts`] say what is known of one connection; a [`View`] evaluates rules over them and answers with one
//! of three values: what a client has not sent yet may still change an answer ([`Answer::NotYet`]). The meaning is that of
//! HAProxy's ACLs. Nothing is read here, and nothing is done: whoever asks carries the actions out.
//!
//! | file | what it does |
//! |---|---|
//! | `fetch.rs` | what can be asked of a connection |
//! | `value.rs` | what the answer is |
//! | `convert.rs` | changes of a value before it is compared |
//! | `change.rs` | what a rule makes of an address |
//! | `matcher.rs` | what a value is compared with |
//! | `texts.rs`, `networks.rs`, `ranges.rs` | sets of texts, networks and numbers |
//! | `hello.rs` | a TLS `ClientHello` |

mod change;
mod convert;
mod fetch;
mod hello;
mod matcher;
mod networks;
mod ranges;
mod texts;
mod value;

#[cfg(test)]
mod hello_tests;
#[cfg(test)]
mod made;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::sync::Arc;

use proxy_proto::Header;

use super::balance::hash_of_bytes;
use super::moment::Span;

pub use super::expressions::{Expressions, InvalidExpression};
pub use convert::Converter;
pub use fetch::{CountedFrom, Facts, Fetch, PoolLoad, ServerIndex, ServerLoad};
pub use hello::{Hello, LONGEST_HELLO, Message, Protocols};
pub use matcher::Matcher;
pub use networks::Networks;
pub use ranges::Ranges;
pub use texts::{Place, Texts};
pub use value::Value;

/// All rules of a relay. The default has none.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Once a connection was accepted, before any PROXY header.
    pub connection: Vec<Rule>,
    /// Once its PROXY header was read, or at once where there is none.
    pub session: Vec<Rule>,
    /// Once the client has sent something, or the time to wait for it is over.
    pub content: Vec<Rule>,
    /// How long to wait for what the client sends. `None`: not at all.
    pub inspect: Option<Span>,
    /// Which pool a session goes to: that of the first choice that holds.
    pub choices: Vec<Choice>,
    /// Once the server has sent something, or the time to wait for it is over. Only of pools.
    pub response: Vec<Rule>,
    /// How long to wait for what the server sends. `None`: not at all.
    pub inspect_response: Option<Span>,
    /// Which server a session goes to: that of the first choice that holds and can be used. Only of pools.
    pub servers: Vec<ServerChoice>,
}

/// An action, and when to take it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `None`: always.
    pub condition: Option<Condition>,
    /// What to do then.
    pub action: Action,
}

/// What a rule does.
#[derive(Debug, Clone)]
pub enum Action {
    /// No further rule of this list is looked at.
    Accept,
    /// The session ends.
    Reject,
    /// The connection to the server ends, and the client gets what the server had sent. Only in [`Rules::response`].
    CloseServer,
    /// A PROXY header is expected; the next rule follows. Only before one could have been read.
    ExpectHeader,
    /// One of the connection's addresses becomes another; the next rule follows.
    Set(Subject, Expression),
}

/// What [`Action::Set`] changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The client's address.
    Source,
    /// The client's port.
    SourcePort,
    /// The address that the client has connected to.
    Destination,
    /// The port that the client has connected to.
    DestinationPort,
}

/// A pool, and when a session goes there.
#[derive(Debug, Clone)]
pub struct Choice {
    /// `None`: always.
    pub condition: Option<Condition>,
    /// Index into the plan's pools.
    pub pool: usize,
}

/// A server of a pool, and when a session goes there.
#[derive(Debug, Clone)]
pub struct ServerChoice {
    /// `None`: always.
    pub condition: Option<Condition>,
    /// Index into the pool's servers.
    pub server: usize,
}

/// Tests, joined: any of several lists, each of which holds when all of its terms do.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The opposite of what the terms say.
    pub unless: bool,
    /// Never empty, and neither is any list in it.
    pub any: Vec<Vec<Term>>,
}

/// A named set of tests, of which one has to hold; or none, if negated.
#[derive(Debug, Clone)]
pub struct Term {
    /// The opposite of what the tests say.
    pub negated: bool,
    /// Shared by all conditions that name it.
    pub tests: Arc<[Test]>,
}

/// One comparison.
#[derive(Debug, Clone)]
pub struct Test {
    /// What is compared.
    pub expression: Expression,
    /// With what.
    pub matcher: Matcher,
}

/// A value of a connection.
#[derive(Debug, Clone)]
pub struct Expression {
    /// Where it comes from.
    pub fetch: Fetch,
    /// What is done to it, in order.
    pub converters: Vec<Converter>,
}

/// The answer of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It does not hold, and never will.
    No,
    /// It does not hold, and may once more is known.
    NotYet,
    /// It holds.
    Yes,
}

/// What comes next in a list of rules.
#[derive(Debug, Clone, Copy)]
pub enum Next<'r> {
    /// This rule applies; the next one has this index.
    Do(&'r Action, usize),
    /// What is known does not suffice.
    NotYet,
    /// No further rule applies.
    End,
}

impl Rules {
    /// Whether there is nothing to decide.
    pub fn is_empty(&self) -> bool {
        !self.decides_within() && !self.decides_before()
    }

    /// Whether there is something to decide before a session is in its pool.
    pub(crate) fn decides_before(&self) -> bool {
        !(self.connection.is_empty()
            && self.session.is_empty()
            && self.content.is_empty()
            && self.choices.is_empty())
    }

    /// Whether there is something to decide of the sessions in a pool: which server they get, or what that may say.
    pub(crate) fn decides_within(&self) -> bool {
        !(self.response.is_empty() && self.servers.is_empty())
    }

    /// Every expression.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let rules = [&self.connection, &self.session, &self.content, &self.response]
            .into_iter()
            .flatten();
        let set = rules.clone().filter_map(|rule| match &rule.action {
            Action::Set(_, expression) => Some(expression),
            Action::Accept | Action::Reject | Action::CloseServer | Action::ExpectHeader => None,
        });
        let servers = self.servers.iter().filter_map(|choice| choice.condition.as_ref());
        let conditions = rules
            .filter_map(|rule| rule.condition.as_ref())
            .chain(self.choices.iter().filter_map(|choice| choice.condition.as_ref()))
            .chain(servers);
        let tests = conditions
            .flat_map(|condition| condition.any.iter().flatten())
            .flat_map(|term| term.tests.iter());
        set.chain(tests.map(|test| &test.expression))
    }

    /// Whether regular expressions are searched for in what one of the sides has sent.
    pub(crate) fn searches(&self) -> bool {
        let conditions = [&self.content, &self.response]
            .into_iter()
            .flatten()
            .filter_map(|rule| rule.condition.as_ref());
        let tests = conditions
            .flat_map(|condition| condition.any.iter().flatten())
            .flat_map(|term| term.tests.iter());
        tests
            .filter(|test| matches!(test.matcher, Matcher::Expression(_)))
            .any(|test| test.expression.fetch.contents().is_some())
    }

    /// The index of the choice that applies.
    pub fn choose(&self, view: &View<'_>) -> Option<usize> {
        self.choices
            .iter()
            .position(|choice| view.check(choice.condition.as_ref()) == Answer::Yes)
    }

    /// The servers of the choices that apply, in order.
    pub fn choose_servers<'r>(&'r self, view: &'r View<'_>) -> impl Iterator<Item = usize> + 'r {
        let chosen = self.servers.iter();
        chosen
            .filter(|choice| view.check(choice.condition.as_ref()) == Answer::Yes)
            .map(|choice| choice.server)
    }
}

/// Facts, as rules look at them at one moment.
pub struct View<'a> {
    facts: &'a dyn Facts,
    is_last: bool,
    /// Of each side. Read once, however many rules ask.
    hello: [OnceCell<Hello<'a>>; 2],
    /// Read once as well; `None`: there is no header, or it was not kept.
    header: OnceCell<Option<Header<'a>>>,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("is_last", &self.is_last)
            .finish_non_exhaustive()
    }
}

impl<'a> View<'a> {
    /// A view of these facts. `is_last`: nothing more will be known, so an answer is final.
    pub fn new(facts: &'a dyn Facts, is_last: bool) -> Self {
        Self {
            facts,
            is_last,
            hello: [OnceCell::new(), OnceCell::new()],
            header: OnceCell::new(),
        }
    }

    /// The first rule, from the index `from` on, that applies.
    pub fn next<'r>(&self, rules: &'r [Rule], from: usize) -> Next<'r> {
        for (index, rule) in rules.iter().enumerate().skip(from) {
            match self.check(rule.condition.as_ref()) {
                Answer::Yes => return Next::Do(&rule.action, index + 1),
                Answer::NotYet => return Next::NotYet,
                Answer::No => {}
            }
        }
        Next::End
    }

    /// Whether a condition holds; none at all does.
    pub fn check(&self, condition: Option<&Condition>) -> Answer {
        let Some(condition) = condition else {
            return Answer::Yes;
        };
        let mut answer = Answer::No;
        for all in &condition.any {
            answer = answer.or(self.all(all));
            if answer == Answer::Yes {
                break;
            }
        }
        answer.negated_if(condition.unless)
    }

    /// From left to right, up to the first that does not hold: a term behind one that is not known yet is not asked.
    fn all(&self, terms: &[Term]) -> Answer {
        for term in terms {
            let answer = self.any(&term.tests).negated_if(term.negated);
            if answer != Answer::Yes {
                return answer;
            }
        }
        Answer::Yes
    }

    fn any(&self, tests: &[Test]) -> Answer {
        let mut answer = Answer::No;
        for test in tests {
            answer = answer.or(self.test(test));
            if answer == Answer::Yes {
                break;
            }
        }
        answer
    }

    fn test(&self, test: &Test) -> Answer {
        let Test {
            expression: Expression { fetch, converters },
            matcher,
        } = test;
        let mut fetched = self.fetch(fetch);
        let found = fetched
            .values
            .any(|value| convert::all(value, converters).is_some_and(|value| matcher.matches(&value)));
        if found {
            Answer::Yes
        } else if fetched.may_change && !self.is_last {
            Answer::NotYet
        } else {
            Answer::No
        }
    }

    /// What it looks at.
    pub fn facts(&self) -> &'a dyn Facts {
        self.facts
    }

    /// The hash of an expression's value, if it has one: of an address as the network writes it, of a number as 8 bytes, the
    /// greatest first.
    pub fn hash(&self, expression: &Expression) -> Option<u32> {
        Some(hash_of_bytes(&self.value(expression)?.bytes()))
    }

    /// The value of an expression, the first if there are several.
    pub fn value(&self, expression: &Expression) -> Option<Value<'_>> {
        let mut fetched = self.fetch(&expression.fetch);
        fetched
            .values
            .next()
            .and_then(|value| convert::all(value, &expression.converters))
    }
}

impl Answer {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::NotYet, _) | (_, Self::NotYet) => Self::NotYet,
            (Self::No, Self::No) => Self::No,
        }
    }

    fn negated_if(self, negated: bool) -> Self {
        match self {
            Self::Yes if negated => Self::No,
            Self::No if negated => Self::Yes,
            answer => answer,
        }
    }
}

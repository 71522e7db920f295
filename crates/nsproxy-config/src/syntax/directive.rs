//! Lines that begin with a dot: which lines count, and what to say while they are read.
//!
//! `.if`, `.elif`, `.else` and `.endif` choose lines; `.notice`, `.warning`, `.alert` and `.diag` speak. A
//! block ends in the file that it began in. Conditions in lines that do not count are not looked at.

use super::condition;
use super::environment::Environment;
use super::words::Word;
use crate::report::{Collector, Diagnostic, Severity};
use crate::source::Span;
use crate::suggest::Suggester;
use crate::values::number::{shorten, shorten_to};

/// How much of a message that the configuration gives is repeated.
const LONGEST_MESSAGE: usize = 500;

const NAMES: &[&str] = &[
    ".if", ".elif", ".else", ".endif", ".notice", ".warning", ".alert", ".diag",
];

/// The blocks that are open.
#[derive(Default)]
pub(super) struct Conditions {
    open: Vec<Block>,
    suggester: Suggester,
}

struct Block {
    /// Its `.if`.
    opened: Span,
    branch: Branch,
    /// Its `.else`.
    last: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    /// The lines of this branch count.
    Taken,
    /// Those of a later one may.
    NotYet,
    /// None of the rest does.
    Never,
}

impl Conditions {
    /// True when the lines that come now count.
    pub(super) fn lines_count(&self) -> bool {
        self.open.last().is_none_or(|block| block.branch == Branch::Taken)
    }

    /// One line that begins with a dot; true when it is that. Of a broken one, whose error is reported, only the
    /// first word counts.
    pub(super) fn directive(
        &mut self,
        words: &[Word<'_>],
        is_broken: bool,
        env: &Environment<'_>,
        diagnostics: &mut Collector,
    ) -> bool {
        let [keyword, arguments @ ..] = words else {
            return false;
        };
        if !keyword.text.starts_with('.') {
            return false;
        }
        let result = match &*keyword.text {
            ".if" if is_broken => {
                self.open(keyword, Branch::Never);
                Ok(())
            }
            ".elif" if is_broken => self.open_block(keyword).map(|block| block.branch = Branch::Never),
            ".if" => self.begin(keyword, arguments, env),
            ".elif" => self.otherwise_if(keyword, arguments, env),
            ".else" => no_more(keyword, arguments).and_then(|()| self.otherwise(keyword)),
            ".endif" => no_more(keyword, arguments).and_then(|()| self.end(keyword)),
            _ if !self.lines_count() || is_broken => Ok(()),
            ".notice" | ".diag" => speak(Severity::Notice, keyword, arguments, diagnostics),
            ".warning" => speak(Severity::Warning, keyword, arguments, diagnostics),
            ".alert" => speak(Severity::Error, keyword, arguments, diagnostics),
            _ => Err(self.unknown(keyword)),
        };
        if let Err(error) = result {
            diagnostics.push(error);
        }
        true
    }

    /// The end of a file: what is still open there stays open for ever.
    pub(super) fn end_of_file(&mut self, diagnostics: &mut Collector) {
        for block in self.open.drain(..) {
            let error = Diagnostic::error(block.opened, "this block has no `.endif`");
            diagnostics.push(error.with_help("a block ends in the file that it began in"));
        }
    }

    fn begin(&mut self, keyword: &Word<'_>, condition: &[Word<'_>], env: &Environment<'_>) -> Step {
        let value = if self.lines_count() {
            condition::evaluate(condition, env, &self.suggester).map(branch)
        } else {
            Ok(Branch::Never)
        };
        // After an error neither the lines of this block nor of its other branches are of use.
        let branch = *value.as_ref().unwrap_or(&Branch::Never);
        self.open(keyword, branch);
        value.map(|_| ())
    }

    fn open(&mut self, keyword: &Word<'_>, branch: Branch) {
        self.open.push(Block {
            opened: keyword.span,
            branch,
            last: None,
        });
    }

    fn otherwise_if(&mut self, keyword: &Word<'_>, condition: &[Word<'_>], env: &Environment<'_>) -> Step {
        let next = match self.open_block(keyword)?.branch {
            Branch::NotYet => condition::evaluate(condition, env, &self.suggester).map(branch),
            Branch::Taken | Branch::Never => Ok(Branch::Never),
        };
        if let Some(block) = self.open.last_mut() {
            block.branch = *next.as_ref().unwrap_or(&Branch::Never);
        }
        next.map(|_| ())
    }

    fn otherwise(&mut self, keyword: &Word<'_>) -> Step {
        let block = self.open_block(keyword)?;
        block.branch = match block.branch {
            Branch::NotYet => Branch::Taken,
            Branch::Taken | Branch::Never => Branch::Never,
        };
        block.last = Some(keyword.span);
        Ok(())
    }

    fn end(&mut self, keyword: &Word<'_>) -> Step {
        match self.open.pop() {
            Some(_) => Ok(()),
            None => Err(without_if(keyword)),
        }
    }

    /// The innermost block, when it can have another branch.
    fn open_block(&mut self, keyword: &Word<'_>) -> Result<&mut Block, Diagnostic> {
        match self.open.last_mut() {
            None => Err(without_if(keyword)),
            Some(Block { last: Some(last), .. }) => {
                let message = format!("`{}` behind the block's `.else`", keyword.text);
                Err(Diagnostic::error(keyword.span, message).with_related(*last, "the `.else`"))
            }
            Some(block) => Ok(block),
        }
    }

    fn unknown(&self, keyword: &Word<'_>) -> Diagnostic {
        let message = format!("unknown directive `{}`", shorten(&keyword.text));
        let error = Diagnostic::error(keyword.span, message);
        error.with_help(
            match self.suggester.nearest(&keyword.text, NAMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the directives are `{}`", NAMES.join("`, `")),
            },
        )
    }
}

type Step = Result<(), Diagnostic>;

fn branch(holds: bool) -> Branch {
    if holds { Branch::Taken } else { Branch::NotYet }
}

fn without_if(keyword: &Word<'_>) -> Diagnostic {
    Diagnostic::error(keyword.span, format!("`{}` without an `.if`", keyword.text))
}

fn no_more(keyword: &Word<'_>, arguments: &[Word<'_>]) -> Step {
    let Some(first) = arguments.first() else {
        return Ok(());
    };
    let message = format!("`{}` stands alone on its line", keyword.text);
    Err(Diagnostic::error(first.span, message).with_label("unexpected"))
}

fn speak(
    severity: Severity,
    keyword: &Word<'_>,
    arguments: &[Word<'_>],
    diagnostics: &mut Collector,
) -> Step {
    let message = match arguments {
        [] => format!("`{}` has nothing to say", keyword.text),
        [message] if message.text.is_empty() => format!("`{}` has nothing to say", keyword.text),
        [message] => shorten_to(&message.text, LONGEST_MESSAGE),
        [_, second, ..] => {
            let error = Diagnostic::error(second.span, format!("`{}` takes one word", keyword.text));
            return Err(error.with_help("put the whole message in double quotes"));
        }
    };
    let span = arguments
        .iter()
        .fold(keyword.span, |span, word| span.to(word.span));
    diagnostics.push(Diagnostic::said(severity, span, message));
    Ok(())
}

//! The rules of a relay in a plan, and those of the pools behind it: with the routes that they lead to, and the pools that they
//! ask about. Those of a pool are of two kinds: what is decided before a session is in there, and what is decided within.

use std::collections::HashMap;
use std::sync::Arc;

use crate::core::rules::{Choice, Expression, Fetch, Rules};
use crate::pool::Pool;
use crate::route::Route;

/// What decides about the sessions of a route.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) rules: Arc<Rules>,
    /// For each choice of the rules, the same route with the pool of that choice.
    targets: Vec<Arc<Route>>,
    /// The same route with its own pool, where that has rules too.
    otherwise: Option<Arc<Route>>,
    /// Of the plan; `None` when no rule asks about one.
    pub(crate) pools: Option<Arc<[Arc<Pool>]>>,
    /// A rule asks for what a PROXY header has said.
    pub(crate) asks_header: bool,
    /// Regular expressions are searched for in what a side has sent.
    searches: bool,
}

impl Judge {
    /// What decides about the sessions of a relay, whose own pool is that of `route`. `None`: there is nothing to decide.
    pub(crate) fn of_relay(
        rules: Option<&Arc<Rules>>,
        route: &Route,
        pools: &Arc<[Arc<Pool>]>,
    ) -> Option<Arc<Self>> {
        let decides = route.pool.rules.as_ref().filter(|rules| rules.decides_before());
        let otherwise = decides.map(|_| Arc::new(route.to_pool(&route.pool, pools)));
        let rules = rules.cloned().unwrap_or_default();
        if !rules.decides_before() && otherwise.is_none() {
            return None;
        }
        let mut routes: HashMap<usize, Arc<Route>> = HashMap::new();
        let target = |choice: &Choice| {
            let to = routes
                .entry(choice.pool)
                .or_insert_with(|| Arc::new(route.to_pool(&pools[choice.pool], pools)));
            Arc::clone(to)
        };
        let targets = rules.choices.iter().map(target).collect();
        Some(Arc::new(Self {
            targets,
            otherwise,
            ..Self::of(&rules, pools)
        }))
    }

    /// What decides about the sessions that have come to a pool.
    pub(crate) fn of_pool(pool: &Pool, pools: &Arc<[Arc<Pool>]>) -> Option<Arc<Self>> {
        let rules = pool.rules.as_ref().filter(|rules| rules.decides_before())?;
        Some(Arc::new(Self::of(rules, pools)))
    }

    /// What decides about the sessions in a pool: which server they get, and what that may say.
    pub(crate) fn within_pool(pool: &Pool, pools: &Arc<[Arc<Pool>]>) -> Option<Arc<Self>> {
        let rules = pool.rules.as_ref().filter(|rules| rules.decides_within())?;
        Some(Arc::new(Self::of(rules, pools)))
    }

    fn of(rules: &Arc<Rules>, pools: &Arc<[Arc<Pool>]>) -> Self {
        Self {
            pools: asked(rules, pools),
            asks_header: rules
                .expressions()
                .any(|expression| matches!(expression.fetch, Fetch::Tlv(_))),
            searches: rules.searches(),
            rules: Arc::clone(rules),
            targets: Vec::new(),
            otherwise: None,
        }
    }

    /// Where a session goes: for the choice with this index, or where none applies. `None`: it stays.
    pub(crate) fn target(&self, choice: Option<usize>) -> Option<&Arc<Route>> {
        match choice {
            Some(index) => self.targets.get(index),
            None => self.otherwise.as_ref(),
        }
    }

    /// Whether what a side has sent is searched, however it comes.
    pub(crate) const fn searches(&self) -> bool {
        self.searches
    }

    /// Whether the PROXY header of a connection is needed, for the rules or for a server behind them.
    pub(crate) fn needs_header(&self) -> bool {
        let mut targets = self.targets.iter().chain(&self.otherwise);
        targets.any(|target| target.keeps_header) || self.asks_header
    }
}

/// Whether the sessions of a relay have to be counted for these.
pub(crate) fn count_sessions<'e>(mut asked: impl Iterator<Item = &'e Expression>) -> bool {
    asked.any(|expression| expression.fetch == Fetch::RelaySessions)
}

/// The same for the rules of some pool, and for the headers of its servers.
pub(crate) fn pools_count_sessions(pools: &[Arc<Pool>]) -> bool {
    pools.iter().any(|pool| {
        let of_rules = pool.rules.iter().flat_map(|rules| rules.expressions());
        count_sessions(of_rules.chain(pool.composed()))
    })
}

/// Whether one of these asks about a pool of the plan.
pub(crate) fn asks_pool<'e>(asked: impl IntoIterator<Item = &'e Expression>) -> bool {
    asked
        .into_iter()
        .any(|expression| expression.fetch.pool().is_some())
}

/// The pools of the plan, if a rule asks about one.
fn asked(rules: &Rules, pools: &Arc<[Arc<Pool>]>) -> Option<Arc<[Arc<Pool>]>> {
    asks_pool(rules.expressions()).then(|| Arc::clone(pools))
}

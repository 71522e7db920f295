//! The rules of a relay in a plan: with the routes that they lead to, and the pools that they ask about.

use std::collections::HashMap;
use std::sync::Arc;

use crate::core::rules::{Fetch, Rules};
use crate::pool::Pool;
use crate::route::Route;

/// What decides about the sessions of a route.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) rules: Arc<Rules>,
    /// For each choice of the rules, the same route with the pool of that choice.
    pub(crate) targets: Vec<Arc<Route>>,
    /// Of the plan; none when no rule asks about one.
    pub(crate) pools: Vec<Arc<Pool>>,
}

impl Judge {
    /// What decides about the sessions of `route`. `None`: there is nothing to decide.
    pub(crate) fn new(rules: &Arc<Rules>, route: &Route, pools: &[Arc<Pool>]) -> Option<Arc<Self>> {
        if rules.is_empty() {
            return None;
        }
        let mut routes: HashMap<usize, Arc<Route>> = HashMap::new();
        let target = |choice: &crate::core::rules::Choice| {
            let to = routes
                .entry(choice.pool)
                .or_insert_with(|| Arc::new(route.to_pool(&pools[choice.pool])));
            Arc::clone(to)
        };
        let asks = rules
            .expressions()
            .any(|expression| expression.fetch.pool().is_some());
        Some(Arc::new(Self {
            rules: Arc::clone(rules),
            targets: rules.choices.iter().map(target).collect(),
            pools: if asks { pools.to_vec() } else { Vec::new() },
        }))
    }

    /// Whether the PROXY header of a connection is needed, for the rules or for a server behind them.
    pub(crate) fn needs_header(&self) -> bool {
        let asks = |fetch: &Fetch| matches!(fetch, Fetch::Tlv(_));
        self.targets.iter().any(|target| target.keeps_header)
            || self.rules.expressions().any(|expression| asks(&expression.fetch))
    }

    /// Whether the sessions of the relay have to be counted.
    pub(crate) fn counts_sessions(rules: &Rules) -> bool {
        rules
            .expressions()
            .any(|expression| expression.fetch == Fetch::RelaySessions)
    }
}

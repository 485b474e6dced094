use std::{error, fmt};

use http::StatusCode;

use super::{AccessKind, AccessRequest};
use crate::{
    history::{IntoPatterns, InvalidTopic, Pattern},
    hub::Subscribe,
};

/// What somebody may do, and on which terms.
///
/// It names what may be read; a request for anything else is answered 403, wildcards beyond it included. It permits
/// publishing only where that is said.
///
/// ```
/// use std::time::Duration;
/// use sse_core::{Lease, Pattern, Permit, Topic};
///
/// # fn permit(tenant: &str) -> Result<Permit, sse_core::AccessDenied> {
/// let own = Topic::from_parts(["tenant", tenant])?;
/// let chat = Topic::from_parts(["tenant", tenant, "chat"])?;
/// let lease = Lease::within(Duration::from_secs(600));
/// Ok(Permit::read((Pattern::below(&own)?, "news"))?
///     .publish(chat)?
///     .with(|subscribe| subscribe.lease(lease).principal("ann").limit("user ann", 5)))
/// # }
/// # assert!(permit("acme").is_ok());
/// # assert!(permit(">").is_ok());
/// ```
#[must_use = "it takes effect when the access hook returns it"]
pub struct Permit {
    reads: Vec<Pattern>,
    publishes: Vec<Pattern>,
    terms: Vec<Terms>,
}

type Terms = Box<dyn FnOnce(Subscribe) -> Subscribe + Send>;

impl Permit {
    /// May read these topics, and what these patterns stand for. Text is a topic: only a [`Pattern`] covers others.
    ///
    /// # Errors
    /// [`InvalidTopic`] if one is not valid, or there is none; by `?` it becomes [`AccessDenied::Topic`].
    pub fn read(topics: impl IntoPatterns) -> Result<Self, InvalidTopic> {
        Ok(Self { reads: topics.into_patterns()?, publishes: Vec::new(), terms: Vec::new() })
    }

    /// May read everything.
    pub fn read_all() -> Self {
        Self { reads: Pattern::new(">").into_iter().collect(), publishes: Vec::new(), terms: Vec::new() }
    }

    /// May publish to these topics, and to what these patterns stand for.
    ///
    /// # Errors
    /// As [`read`](Permit::read).
    pub fn publish(mut self, topics: impl IntoPatterns) -> Result<Self, InvalidTopic> {
        self.publishes.extend(topics.into_patterns()?);
        Ok(self)
    }

    /// Adds terms to the subscription: a lease, a filter, limits, a principal, a snapshot, or what else
    /// [`Subscribe`] has.
    pub fn with(mut self, terms: impl FnOnce(Subscribe) -> Subscribe + Send + 'static) -> Self {
        self.terms.push(Box::new(terms));
        self
    }

    /// Whether everything that is asked for is covered.
    pub(super) fn check(&self, ask: &AccessRequest) -> Result<(), AccessDenied> {
        let allowed = match ask.action() {
            AccessKind::Subscribe => &self.reads,
            AccessKind::Publish => &self.publishes,
        };
        let covers = |asked: &Pattern| allowed.iter().any(|pattern| pattern.covers(asked));
        if ask.topics().iter().all(covers) { Ok(()) } else { Err(AccessDenied::Forbidden) }
    }

    pub(super) fn apply(self, subscribe: Subscribe) -> Subscribe {
        self.terms.into_iter().fold(subscribe, |subscribe, terms| terms(subscribe))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, publishes, .. } = self;
        f.debug_struct("Permit").field("reads", reads).field("publishes", publishes).finish_non_exhaustive()
    }
}

/// Why somebody may not do what they ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessDenied {
    /// They may not; 403.
    Forbidden,
    /// As if there were nothing; 404.
    NotFound,
    /// A topic is not valid, for example because the name that it was made of is too long; 400.
    Topic(InvalidTopic),
    /// They have not said who they are; 401.
    Unauthorized,
}

impl AccessDenied {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Topic(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
        }
    }
}

impl fmt::Display for AccessDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden => f.write_str("access: not for you; ask for topics that you may use"),
            Self::NotFound => f.write_str("access: there is nothing here; check the address"),
            Self::Topic(error) => error.fmt(f),
            Self::Unauthorized => f.write_str("access: nobody knows who you are; sign in"),
        }
    }
}

impl error::Error for AccessDenied {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Topic(error) => Some(error),
            Self::Forbidden | Self::NotFound | Self::Unauthorized => None,
        }
    }
}

impl From<InvalidTopic> for AccessDenied {
    fn from(error: InvalidTopic) -> Self {
        Self::Topic(error)
    }
}

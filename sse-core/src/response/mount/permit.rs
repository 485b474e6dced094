use std::{error, fmt};

use http::StatusCode;

use super::{AccessKind, AccessRequest};
use crate::{
    history::{IntoPatterns, InvalidTopic, Pattern},
    hub::Subscribe,
};

/// Grants access to topics, with optional terms such as a lease or a filter.
///
/// A permit lists the topics that may be read; any other request is answered 403, including one with wildcards
/// beyond them. Publishing is permitted only with [`publish`](Permit::publish).
///
/// ```
/// use std::time::Duration;
/// use sse_core::{Lease, Pattern, Topic, mount::Permit};
///
/// # fn permit(tenant: &str) -> Result<Permit, sse_core::mount::AccessDenied> {
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
    /// Permits reading these topics, and the topics that these patterns match. Text is a topic: only a
    /// [`Pattern`] covers others.
    ///
    /// # Errors
    /// [`InvalidTopic`] if one is not valid, or there is none; `?` converts it to [`AccessDenied::Topic`].
    pub fn read(topics: impl IntoPatterns) -> Result<Self, InvalidTopic> {
        Ok(Self { reads: topics.into_patterns()?, publishes: Vec::new(), terms: Vec::new() })
    }

    /// Permits reading all topics.
    pub fn read_all() -> Self {
        Self { reads: Pattern::new(">").into_iter().collect(), publishes: Vec::new(), terms: Vec::new() }
    }

    /// Permits publishing to these topics, and to the topics that these patterns match.
    ///
    /// # Errors
    /// The same as for [`read`](Permit::read).
    pub fn publish(mut self, topics: impl IntoPatterns) -> Result<Self, InvalidTopic> {
        self.publishes.extend(topics.into_patterns()?);
        Ok(self)
    }

    /// Adds terms to the subscription: a lease, a filter, limits, a principal, a snapshot, or any other option
    /// of [`Subscribe`].
    pub fn with(mut self, terms: impl FnOnce(Subscribe) -> Subscribe + Send + 'static) -> Self {
        self.terms.push(Box::new(terms));
        self
    }

    /// Checks that the permit covers the whole request.
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

/// The reason why access is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessDenied {
    /// The caller may not do this; 403.
    Forbidden,
    /// Responds as if the route did not exist; 404.
    NotFound,
    /// A topic is not valid, for example because the name from which it was made is too long; 400.
    Topic(InvalidTopic),
    /// The caller is not authenticated; 401.
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

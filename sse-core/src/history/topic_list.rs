use super::{InvalidTopic, Pattern, Topic};

/// A list of topics, as [`publish`](crate::Hub::publish), `signal`, `finish`, `run` and `disconnect` take it: one
/// topic, or several in an array, slice, `Vec` or tuple.
///
/// Text is a literal topic. A [`Pattern`] does not name topics, and text with a wildcard is rejected.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name topics",
    note = "topics are named by `&str`, `String` or `Topic`, or an array, slice, `Vec` or tuple of them",
    note = "a `Pattern` is only for readers: `subscribe`, `also`, `set_topics` and `Permit`"
)]
pub trait IntoTopics {
    /// Returns the topics in the order given.
    ///
    /// # Errors
    /// [`InvalidTopic`] if one of them is not valid, for example because it has a wildcard.
    fn into_topics(self) -> Result<Vec<Topic>, InvalidTopic>;
}

/// A list of topics and patterns, as [`subscribe`](crate::Hub::subscribe), `also`, `set_topics` and
/// [`Permit`](crate::mount::Permit) take it: one, or several in an array, slice, `Vec` or tuple.
///
/// Text is a literal topic, so text from outside never becomes a wildcard; only a [`Pattern`] has wildcards.
///
/// ```
/// use sse_core::{Hub, Pattern, Topic};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (hub, name) = (Hub::memory(), "of a request");
/// hub.subscribe("prices.eur").await?;
/// hub.subscribe(Pattern::new("prices.*")?).await?;
/// hub.subscribe((Topic::from_parts(["builds", name])?, "news", Pattern::new("prices.*")?)).await?;
/// assert!(hub.subscribe("prices.*").await.is_err());
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names neither topics nor patterns",
    note = "topics are named by `&str`, `String` or `Topic`, and wildcards by `Pattern`",
    note = "several are an array, slice, `Vec` or tuple of them"
)]
pub trait IntoPatterns {
    /// Returns the topics and patterns in the order given.
    ///
    /// # Errors
    /// [`InvalidTopic`] if one of them is not valid, for example because it is a text with a wildcard.
    fn into_patterns(self) -> Result<Vec<Pattern>, InvalidTopic>;
}

macro_rules! text {
    ($($t:ty),*) => {$(
        impl IntoTopics for $t {
            fn into_topics(self) -> Result<Vec<Topic>, InvalidTopic> {
                Ok(vec![Topic::new(self)?])
            }
        }

        impl IntoPatterns for $t {
            fn into_patterns(self) -> Result<Vec<Pattern>, InvalidTopic> {
                Ok(vec![Topic::new(self)?.into()])
            }
        }
    )*};
}
text!(&str, &&str, String, &String);

impl IntoTopics for Topic {
    fn into_topics(self) -> Result<Vec<Topic>, InvalidTopic> {
        Ok(vec![self])
    }
}

impl IntoTopics for &Topic {
    fn into_topics(self) -> Result<Vec<Topic>, InvalidTopic> {
        Ok(vec![self.clone()])
    }
}

impl IntoPatterns for Topic {
    fn into_patterns(self) -> Result<Vec<Pattern>, InvalidTopic> {
        Ok(vec![self.into()])
    }
}

impl IntoPatterns for &Topic {
    fn into_patterns(self) -> Result<Vec<Pattern>, InvalidTopic> {
        Ok(vec![self.clone().into()])
    }
}

impl IntoPatterns for Pattern {
    fn into_patterns(self) -> Result<Vec<Pattern>, InvalidTopic> {
        Ok(vec![self])
    }
}

impl IntoPatterns for &Pattern {
    fn into_patterns(self) -> Result<Vec<Pattern>, InvalidTopic> {
        Ok(vec![self.clone()])
    }
}

/// Implements both traits for lists, if their items implement them.
macro_rules! lists {
    ($($trait:ident, $into:ident, $item:ty;)*) => {$(
        impl<T: $trait, const N: usize> $trait for [T; N] {
            fn $into(self) -> Result<Vec<$item>, InvalidTopic> {
                each(self, T::$into)
            }
        }

        impl<T: $trait> $trait for Vec<T> {
            fn $into(self) -> Result<Vec<$item>, InvalidTopic> {
                each(self, T::$into)
            }
        }

        impl<T> $trait for &[T]
        where
            for<'a> &'a T: $trait,
        {
            fn $into(self) -> Result<Vec<$item>, InvalidTopic> {
                each(self, |topic| topic.$into())
            }
        }

        impl<T, const N: usize> $trait for &[T; N]
        where
            for<'a> &'a T: $trait,
        {
            fn $into(self) -> Result<Vec<$item>, InvalidTopic> {
                each(self, |topic| topic.$into())
            }
        }

        impl<T> $trait for &Vec<T>
        where
            for<'a> &'a T: $trait,
        {
            fn $into(self) -> Result<Vec<$item>, InvalidTopic> {
                each(self, |topic| topic.$into())
            }
        }

        impl<A: $trait, B: $trait> $trait for (A, B) {
            fn $into(self) -> Result<Vec<$item>, InvalidTopic> {
                Ok([self.0.$into()?, self.1.$into()?].concat())
            }
        }

        impl<A: $trait, B: $trait, C: $trait> $trait for (A, B, C) {
            fn $into(self) -> Result<Vec<$item>, InvalidTopic> {
                Ok([self.0.$into()?, self.1.$into()?, self.2.$into()?].concat())
            }
        }
    )*};
}
lists!(
    IntoTopics, into_topics, Topic;
    IntoPatterns, into_patterns, Pattern;
);

fn each<T, U>(
    items: impl IntoIterator<Item = T>,
    into: impl Fn(T) -> Result<Vec<U>, InvalidTopic>,
) -> Result<Vec<U>, InvalidTopic> {
    let mut all = Vec::new();
    for item in items {
        all.append(&mut into(item)?);
    }
    Ok(all)
}

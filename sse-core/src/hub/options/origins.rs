use crate::hub::Subscribe;
use crate::resume::OriginPolicy;

impl Subscribe {
    /// Refuses requests that do not come from where the policy says, before anything is allocated, and lets the pages
    /// that are allowed read the response.
    ///
    /// It judges the request given to [`after`](Subscribe::after); a cursor or a text in its place is refused, and so is
    /// `None`, because nobody knows where these come from.
    ///
    /// ```
    /// use sse_core::{Hub, LastEventId, OriginPolicy, Subscription};
    ///
    /// async fn prices(hub: Hub, last: LastEventId) -> Result<Subscription, Box<dyn std::error::Error>> {
    ///     let policy = OriginPolicy::builder().origin("https://app.example.com").build()?;
    ///     Ok(hub.subscribe("prices").after(last).origins(&policy).await?)
    /// }
    /// ```
    pub fn origins(mut self, policy: &OriginPolicy) -> Self {
        self.terms.origins = Some(policy.clone());
        self
    }
}

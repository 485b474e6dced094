use crate::hub::Subscribe;
use crate::resume::OriginPolicy;

impl Subscribe {
    /// Refuses requests from origins that the policy does not allow, before anything is allocated, and lets
    /// pages of allowed origins read the response.
    ///
    /// Checks the request given to [`after`](Subscribe::after). A cursor, text or `None` in its place is
    /// refused, because its origin is unknown.
    ///
    /// ```
    /// use sse_core::{Hub, LastEventId, Subscription, origin::OriginPolicy};
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

use crate::hub::Subscribe;
use crate::request::OriginPolicy;

impl Subscribe {
    /// Refuses requests from origins that the policy does not allow, before anything is allocated, and lets
    /// pages of allowed origins read the response.
    ///
    /// Checks the [`request`](Subscribe::request). Without one the subscription is refused, because the origin is
    /// unknown.
    ///
    /// ```
    /// use sse_core::{Hub, SseRequest, Subscription, origin::OriginPolicy};
    ///
    /// async fn prices(hub: Hub, request: SseRequest) -> Result<Subscription, Box<dyn std::error::Error>> {
    ///     let policy = OriginPolicy::builder().origin("https://app.example.com").build()?;
    ///     Ok(hub.subscribe("prices").request(request).origins(&policy).await?)
    /// }
    /// ```
    pub fn origins(mut self, policy: &OriginPolicy) -> Self {
        self.terms.origins = Some(policy.clone());
        self
    }
}

use std::time::Duration;

use sse_core::{
    Lease, Pattern, Topic,
    mount::{AccessDenied, Permit},
};

/// How long a tenant may read before the access hook is called again.
const LEASE: Duration = Duration::from_secs(60 * 60);

/// Maximum number of streams of each tenant.
const STREAMS: usize = 10;

/// Permits a tenant to read and publish below `tenant.NAME`, and to read the metrics.
///
/// A real application identifies the caller by a session; here callers name themselves.
///
/// # Errors
/// If the request does not name a tenant, or the name is too long for a topic.
pub fn permit(tenant: Option<&str>) -> Result<Permit, AccessDenied> {
    let tenant = tenant.ok_or(AccessDenied::Unauthorized)?.to_owned();
    let own = Pattern::below(&Topic::from_parts(["tenant", &tenant])?)?;
    let permit = Permit::read([&own, &Pattern::new("metrics.*")?])?.publish(own)?;
    Ok(permit.with(move |subscribe| {
        let limit = format!("tenant {tenant}");
        subscribe.lease(Lease::within(LEASE)).limit(limit, STREAMS).principal(tenant)
    }))
}

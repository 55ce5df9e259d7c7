//! What a site lets through: so many requests a minute from anybody, and points an hour for programs with OAuth: one
//! for a request, and one for each object of what it reads; people, groups and rights count for two. It must not know
//! what is asked for; an answer says how many objects it holds.

use super::access::Way;
use super::exchange::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// How a refusal says when to come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hint {
    /// In seconds.
    #[default]
    Seconds,
    /// As a date of HTTP.
    Date,
    /// At once, which is a lie.
    Zero,
    /// Not at all.
    Silent,
}

impl Hint {
    /// From its name.
    pub fn read(name: &str) -> Option<Self> {
        match name {
            "seconds" => Some(Self::Seconds),
            "date" => Some(Self::Date),
            "zero" => Some(Self::Zero),
            "silent" => Some(Self::Silent),
            _ => None,
        }
    }
}

/// Limits, and what was used of them in the window that runs.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// Requests in a minute.
    pub a_minute: Option<u64>,
    /// Points in an hour.
    pub points_an_hour: Option<u64>,
    /// Seconds that the hour of the points has; a test does not wait for a whole one.
    pub window: Option<i64>,
    /// How a refusal says when to come again.
    pub hint: Hint,
    /// Requests that were let in although a refusal had asked to wait until later.
    pub too_early: u64,
    /// Refusals because of these limits.
    pub refused: u64,
    /// Points charged in all.
    pub points: u64,
    /// The most that was charged in one hour.
    pub most: u64,
    /// The most that was charged for one request.
    pub dearest: u64,
    now: Timestamp,
    wait_until: Option<Timestamp>,
    minute: (i64, u64),
    hour: (i64, u64),
}

/// The name of the limit on points.
const QUOTA: &str = "tenant-app-quota";

impl Rates {
    /// So many requests in a minute, so many points in an hour.
    pub fn new(a_minute: Option<u64>, points_an_hour: Option<u64>, hint: Hint) -> Self {
        Self { a_minute, points_an_hour, hint, ..Self::default() }
    }

    /// Lets a request in, or says why not.
    pub fn admit(&mut self, now: Timestamp, way: Way) -> Option<Response> {
        let (minute, hour) = (now.as_second() / 60, now.as_second() / self.window());
        self.now = now;
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        if self.hour.0 != hour {
            self.hour = (hour, 0);
        }
        self.too_early += u64::from(self.wait_until.is_some_and(|until| now < until));
        let over_points = way == Way::Oauth && self.points_an_hour.is_some_and(|limit| self.hour.1 >= limit);
        let until = match (over_points, self.a_minute) {
            (true, _) => self.reset(),
            (false, Some(limit)) if self.minute.1 >= limit => (minute + 1) * 60,
            _ => {
                self.minute.1 += 1;
                return None;
            }
        };
        self.refused += 1;
        let wait = SignedDuration::from_secs(until - now.as_second());
        if matches!(self.hint, Hint::Seconds | Hint::Date) {
            self.wait_until = Some(now + wait);
        }
        let refused = too_many(now, wait, self.hint);
        Some(match over_points {
            true => self.left(refused).with("RateLimit-Reason", "confluence-quota-tenant-based"),
            false => refused.with("RateLimit-Reason", "confluence-burst-based"),
        })
    }

    fn window(&self) -> i64 {
        self.window.unwrap_or(3600)
    }

    /// When the points are all there again.
    fn reset(&self) -> i64 {
        (self.hour.0 + 1) * self.window()
    }

    /// What is left of the points, in the headers of an answer.
    fn left(&self, response: Response) -> Response {
        let Some(limit) = self.points_an_hour else { return response };
        let left = limit.saturating_sub(self.hour.1);
        let seconds = self.reset() - self.now.as_second();
        let mut response = response
            .with("Beta-RateLimit-Policy", format!("\"{QUOTA}\";q={limit};w={}", self.window()))
            .with("Beta-RateLimit", format!("\"{QUOTA}\";r={left};t={seconds}"));
        // Of two limits, these speak of the one on requests.
        if self.a_minute.is_none() {
            let reset = Timestamp::from_second(self.reset()).unwrap_or_default();
            response = response
                .with("X-RateLimit-Limit", limit.to_string())
                .with("X-RateLimit-Remaining", left.to_string())
                .with("X-RateLimit-Reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
        let is_near = left * 5 < limit && response.header("X-RateLimit-NearLimit").is_none();
        if is_near { response.with("X-RateLimit-NearLimit", "true") } else { response }
    }

    /// Charges an answer, and says in its headers what is left.
    pub fn charge(&mut self, way: Way, mut response: Response) -> Response {
        if let Some(limit) = self.a_minute {
            let left = limit.saturating_sub(self.minute.1);
            let reset = Timestamp::from_second((self.minute.0 + 1) * 60).unwrap_or_default();
            response = response
                .with("X-RateLimit-Limit", limit.to_string())
                .with("X-RateLimit-Remaining", left.to_string())
                .with("X-RateLimit-Reset", reset.strftime("%Y-%m-%dT%H:%MZ").to_string());
            if left * 5 < limit {
                response = response.with("X-RateLimit-NearLimit", "true");
            }
        }
        if way != Way::Oauth {
            return response;
        }
        let points = 1 + response.objects;
        self.points += points;
        self.hour.1 += points;
        self.most = self.most.max(self.hour.1);
        self.dearest = self.dearest.max(points);
        self.left(response)
    }
}

/// The refusal of a site that has too much to do.
pub fn too_many(now: Timestamp, wait: SignedDuration, hint: Hint) -> Response {
    let response = Response::json(429, &json!({ "code": 429, "message": "Rate limit exceeded" }));
    match hint {
        Hint::Silent => response,
        Hint::Zero => response.with("Retry-After", "0"),
        Hint::Seconds => response.with("Retry-After", wait.as_secs().to_string()),
        Hint::Date => response.with("Retry-After", http_date(now + wait)),
    }
}

/// A moment as HTTP writes it.
pub fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_minute_holds_so_many_and_a_refusal_says_how_long_it_lasts() {
        let mut rates = Rates { a_minute: Some(2), ..Rates::default() };
        assert!(rates.admit(at(0), Way::Basic).is_none());
        assert!(rates.admit(at(1), Way::Basic).is_none());
        assert_eq!(rates.admit(at(20), Way::Basic).unwrap().header("retry-after"), Some("40"));
        rates.hint = Hint::Date;
        let refused = rates.admit(at(30), Way::Basic).unwrap();
        assert_eq!(refused.header("retry-after"), Some("Thu, 01 Jan 1970 00:01:00 GMT"));
        assert_eq!(rates.too_early, 1, "whoever comes before the time is counted");
        assert!(rates.admit(at(60), Way::Basic).is_none());
        let left = rates.charge(Way::Basic, Response::empty(200));
        assert_eq!(left.header("x-ratelimit-remaining"), Some("1"));
    }

    #[test]
    fn points_are_charged_to_programs_for_every_object() {
        let mut rates = Rates { points_an_hour: Some(300), ..Rates::default() };
        let big = Response { objects: 250, ..Response::empty(200) };
        assert!(rates.admit(at(0), Way::Oauth).is_none());
        let first = rates.charge(Way::Oauth, big.clone());
        assert_eq!(first.header("beta-ratelimit"), Some("\"tenant-app-quota\";r=49;t=3600"));
        assert_eq!(first.header("x-ratelimit-nearlimit"), Some("true"));
        rates.charge(Way::Oauth, big);
        assert_eq!((rates.most, rates.dearest), (502, 251));
        let refused = rates.admit(at(100), Way::Oauth).unwrap();
        assert_eq!(refused.header("retry-after"), Some("3500"));
        assert_eq!(refused.header("beta-ratelimit"), Some("\"tenant-app-quota\";r=0;t=3500"));
        assert_eq!(refused.header("x-ratelimit-reset"), Some("1970-01-01T01:00:00Z"));
        assert_eq!(refused.header("x-ratelimit-nearlimit"), Some("true"));
        assert!(rates.admit(at(100), Way::Basic).is_none(), "API tokens are charged nothing");
    }
}

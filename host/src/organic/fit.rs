//! What of the miners' answers a challenge is shown.

use crate::sandbox::organic::{Failure, Response};

/// Has answers be too large, the largest first, until all that are left take at most
/// `room` bytes together; of two of a size the one of the greater uid. Returns how many.
///
/// A challenge whose memory the answers fill fails, and nobody is paid: so those pay
/// that fill it. One that answers in few bytes never does, however many answer in many.
pub(super) fn fit<'a>(responses: impl Iterator<Item = &'a mut Response>, room: usize) -> usize {
    let size = |response: &Response| response.outcome.as_ref().map_or(0, String::len);
    let mut responses: Vec<&mut Response> = responses.collect();
    responses.sort_by_key(|response| (size(response), response.uid));
    let mut sum: usize = responses.iter().map(|response| size(response)).sum();
    let mut left_out = 0;
    for response in responses.into_iter().rev() {
        if sum <= room {
            break;
        }
        sum -= size(response);
        response.outcome = Err(Failure::TooLarge);
        left_out += 1;
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(sizes: &[usize], room: usize) -> Vec<Option<usize>> {
        let response = |(uid, size): (u16, &usize)| Response {
            uid,
            hotkey: uid.to_string(),
            outcome: Ok("x".repeat(*size)),
            latency: 0.0,
        };
        let mut responses: Vec<Response> = (0..).zip(sizes).map(response).collect();
        let left_out = fit(responses.iter_mut(), room);
        let left = responses.into_iter().map(|response| response.outcome.ok());
        let left: Vec<_> = left.map(|body| body.map(|body| body.len())).collect();
        assert_eq!(left.iter().filter(|body| body.is_none()).count(), left_out);
        left
    }

    #[test]
    fn the_largest_answers_pay_for_what_there_is_no_room_for() {
        assert_eq!(fitted(&[5, 90, 6, 90], 200), [5, 90, 6, 90].map(Some));
        assert_eq!(fitted(&[5, 90, 6, 90], 191), [5, 90, 6, 90].map(Some));
        let one = [Some(5), Some(90), Some(6), None];
        assert_eq!(fitted(&[5, 90, 6, 90], 190), one);
        assert_eq!(fitted(&[5, 90, 6, 90], 11), [Some(5), None, Some(6), None]);
        assert_eq!(fitted(&[5, 90, 6, 90], 0), [None; 4]);
        assert_eq!(fitted(&[], 0), []);
    }
}

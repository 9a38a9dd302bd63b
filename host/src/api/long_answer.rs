//! A long answer that is written as it is read: who asks for much and reads nothing
//! holds no more than a piece of it.

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Bytes that are put together at a time, about.
const PIECE: usize = 64 << 10;

/// Texts, one after the other. They are shared, not copied, until they are written.
#[derive(Debug)]
pub(super) struct LongAnswer {
    texts: std::vec::IntoIter<Arc<str>>,
    left: u64,
}

impl LongAnswer {
    pub(super) fn new(texts: Vec<Arc<str>>) -> Self {
        let left = texts.iter().map(|text| text.len() as u64).sum();
        LongAnswer {
            texts: texts.into_iter(),
            left,
        }
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        let mut piece = Vec::new();
        while piece.len() < PIECE
            && let Some(text) = self.texts.next()
        {
            if piece.is_empty() {
                let most = PIECE + text.len();
                piece.reserve(most.min(usize::try_from(self.left).unwrap_or(most)));
            }
            piece.extend_from_slice(text.as_bytes());
        }
        self.left -= piece.len() as u64;
        (!piece.is_empty()).then(|| piece.into())
    }
}

impl HttpBody for LongAnswer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next_piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_bounded_and_their_length_is_known_before() {
        let text: Arc<str> = "x".repeat(10_000).into();
        let mut answer = LongAnswer::new(vec![Arc::clone(&text); 100]);
        let mut written = 0;
        while let Some(piece) = answer.next_piece() {
            assert!(piece.len() < PIECE + text.len());
            written += piece.len() as u64;
            assert_eq!(answer.size_hint().exact(), Some(1_000_000 - written));
        }
        assert_eq!(written, 1_000_000);
        assert!(answer.is_end_stream());
        assert!(LongAnswer::new(Vec::new()).next_piece().is_none());
    }
}

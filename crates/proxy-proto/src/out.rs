//! The buffer that the writers fill: it never writes past its end, and goes on counting there, so that the
//! error can say how much room was missing.

use crate::write_error::WriteError;

#[derive(Debug)]
pub(crate) struct Out<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Out<'b> {
    #[inline]
    pub(crate) const fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Bytes asked to be written so far, whether there was room or not.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.buf.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }

    /// Two pieces, with one look at the room.
    #[inline]
    pub(crate) fn put_both<const N: usize>(&mut self, first: [u8; N], bytes: &[u8]) {
        let end = self.len.saturating_add(N).saturating_add(bytes.len());
        if let Some(room) = self.buf.get_mut(self.len..end)
            && let Some((head, rest)) = room.split_first_chunk_mut()
        {
            *head = first;
            rest.copy_from_slice(bytes);
        }
        self.len = end;
    }

    #[inline]
    pub(crate) fn put_zeros(&mut self, count: usize) {
        let end = self.len.saturating_add(count);
        if let Some(room) = self.buf.get_mut(self.len..end) {
            room.fill(0);
        }
        self.len = end;
    }

    /// Writes over bytes that are there already.
    #[inline]
    pub(crate) fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        if let Some(room) = self.buf.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *room = bytes;
        }
    }

    /// All bytes written.
    ///
    /// # Errors
    ///
    /// [`WriteError::BufferTooSmall`] when there was no room for all of them.
    #[inline]
    pub(crate) fn written(&self) -> Result<&[u8], WriteError> {
        self.buf.get(..self.len).ok_or(WriteError::BufferTooSmall {
            needed: self.len,
            available: self.buf.len(),
        })
    }
}

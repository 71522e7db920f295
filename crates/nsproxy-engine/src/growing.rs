//! A list that only grows, and that is read without a lock meanwhile: of workers, and of what each of them has of something.

use std::iter;
use std::ops::Index;
use std::sync::OnceLock;

/// A list, in as many parts as it was added to. What is in it stays where it is.
#[derive(Debug)]
pub(crate) struct Growing<T> {
    items: Box<[T]>,
    more: OnceLock<Box<Self>>,
}

impl<T> Growing<T> {
    /// Begins with these.
    pub(crate) fn new(items: impl IntoIterator<Item = T>) -> Self {
        Self {
            items: items.into_iter().collect(),
            more: OnceLock::new(),
        }
    }

    /// Adds these at the end.
    pub(crate) fn append(&self, items: impl IntoIterator<Item = T>) {
        let mut part = Box::new(Self::new(items));
        let mut last = self;
        // Whoever else adds something comes first.
        while let Err(back) = last.more.set(part) {
            part = back;
            if let Some(more) = last.more.get() {
                last = more;
            }
        }
    }

    /// One of them.
    #[inline]
    pub(crate) fn get(&self, mut index: usize) -> Option<&T> {
        let mut part = self;
        loop {
            if let Some(item) = part.items.get(index) {
                return Some(item);
            }
            index -= part.items.len();
            part = part.more.get()?;
        }
    }

    /// All that there are now.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        iter::successors(Some(self), |part| part.more.get().map(Box::as_ref)).flat_map(|part| &part.items)
    }

    /// How many there are now.
    pub(crate) fn len(&self) -> usize {
        iter::successors(Some(self), |part| part.more.get().map(Box::as_ref))
            .map(|part| part.items.len())
            .sum()
    }
}

impl<T: Default> Growing<T> {
    /// One of them; the list grows for it if it must.
    #[inline]
    pub(crate) fn get_or_grow(&self, mut index: usize) -> &T {
        let mut part = self;
        loop {
            if let Some(item) = part.items.get(index) {
                return item;
            }
            index -= part.items.len();
            part = part
                .more
                .get_or_init(|| Box::new(Self::new((0..=index).map(|_| T::default()))));
        }
    }
}

impl<T> Index<usize> for Growing<T> {
    type Output = T;

    /// Panics as that of a slice does.
    #[inline]
    fn index(&self, index: usize) -> &T {
        self.get(index)
            .unwrap_or_else(|| panic!("no item {index} in a list of {}", self.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_list(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 1..6)) {
            let list = Growing::new(parts[0].clone());
            for part in &parts[1..] {
                list.append(part.clone());
            }
            let whole = parts.concat();
            prop_assert_eq!(&list.iter().copied().collect::<Vec<_>>(), &whole);
            prop_assert_eq!(list.len(), whole.len());
            for index in 0..=whole.len() {
                prop_assert_eq!(list.get(index), whole.get(index));
            }
        }

        #[test]
        fn it_has_whatever_is_asked_for(asked in proptest::collection::vec(0_usize..100, 1..20)) {
            let list = Growing::<std::cell::Cell<usize>>::new([]);
            for index in &asked {
                list.get_or_grow(*index).set(*index);
            }
            for index in asked {
                prop_assert_eq!(list[index].get(), index);
            }
        }
    }

    #[test]
    fn two_who_add_at_the_same_time_both_do() {
        let list = Growing::new([0]);
        std::thread::scope(|scope| {
            for number in 1..=8 {
                let list = &list;
                scope.spawn(move || list.append([number]));
            }
        });
        let mut all: Vec<_> = list.iter().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..=8).collect::<Vec<_>>());
    }
}

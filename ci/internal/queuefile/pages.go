package queuefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt's format, version 2: pages of one size. Each begins with a header (id,
// flags, number of elements, number of pages that belong to it besides), pages 0 and
// 1 are the two newest states of the file, and a tree of branches and leaves hangs
// from each.
const (
	magic   = 0xED0CDAED
	version = 2

	headerSize  = 16
	elementSize = 16
	metaSize    = 64
	bucketSize  = 16

	flagBranch   = 1
	flagLeaf     = 2
	flagMeta     = 4
	flagFreelist = 16

	// leafBucket marks an element whose value is a bucket.
	leafBucket = 1
	// noFreelist stands for a list of free pages that is made anew at each start.
	noFreelist = 1<<64 - 1
	// manyFree in place of a number says that the number is the list's first entry.
	manyFree = 0xFFFF

	maxPageSize = 1 << 16
)

// A checker walks over the pages of one file.
type checker struct {
	file io.ReaderAt
	size int64
	meta meta
	used map[uint64]bool
	// err is that the file could not be read, which says nothing of its content.
	err error
}

type meta struct {
	pageSize             uint32
	root, freelist, next uint64 // numbers of pages; next is the first that was never used
	transaction          uint64
}

type page struct {
	id       uint64
	flags    uint16
	count    int
	elements []byte // what comes after the header, with the pages that belong to it
}

func (c *checker) check() error {
	if err := c.readMeta(); err != nil {
		return err
	}
	if err := c.walk(c.meta.root, nil); err != nil {
		return err
	}
	if c.meta.freelist == noFreelist {
		return nil
	}
	return c.checkFree()
}

// readMeta takes the newer of the two states that is whole, as bbolt does.
func (c *checker) readMeta() error {
	var reason error
	for _, at := range c.metaOffsets() {
		m, err := c.readMetaAt(at)
		if err != nil {
			reason = err
			continue
		}
		if c.meta.pageSize == 0 || m.transaction > c.meta.transaction {
			c.meta = m
		}
	}
	if c.meta.pageSize == 0 {
		return fmt.Errorf("no page says how the file begins: %w", reason)
	}
	if int64(c.meta.next)*int64(c.meta.pageSize) > c.size {
		return fmt.Errorf("the file is cut short: %d bytes of %d", c.size, int64(c.meta.next)*int64(c.meta.pageSize))
	}
	return nil
}

// metaOffsets are where the second state can be; pages are as large as the machine's
// were that has written the file.
func (c *checker) metaOffsets() []int64 {
	all := []int64{0}
	for size := int64(1024); size <= maxPageSize; size *= 2 {
		all = append(all, size)
	}
	return all
}

func (c *checker) readMetaAt(at int64) (meta, error) {
	raw, err := c.read(at, headerSize+metaSize)
	if err != nil {
		return meta{}, err
	}
	flags, body := binary.NativeEndian.Uint16(raw[8:]), raw[headerSize:]
	sum := fnv.New64a()
	sum.Write(body[:metaSize-8]) // never fails
	m := meta{
		pageSize: binary.NativeEndian.Uint32(body[8:]), root: binary.NativeEndian.Uint64(body[16:]),
		freelist: binary.NativeEndian.Uint64(body[32:]), next: binary.NativeEndian.Uint64(body[40:]), transaction: binary.NativeEndian.Uint64(body[48:]),
	}
	switch {
	case flags != flagMeta || binary.NativeEndian.Uint32(body) != magic || binary.NativeEndian.Uint32(body[4:]) != version:
		return meta{}, errors.New("it is no file of bbolt's")
	case binary.NativeEndian.Uint64(body[56:]) != sum.Sum64():
		return meta{}, errors.New("the checksum of its first pages is wrong")
	case m.pageSize < 1024 || m.pageSize > maxPageSize || at != 0 && at != int64(m.pageSize):
		return meta{}, fmt.Errorf("a page of %d bytes at %d", m.pageSize, at)
	}
	return m, nil
}

// read returns n bytes, or what is wrong with the file that it has not so many.
func (c *checker) read(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at+n > c.size {
		return nil, errors.New("the file is cut short")
	}
	raw := make([]byte, n)
	if _, err := c.file.ReadAt(raw, at); err != nil {
		c.err = err
		return nil, err
	}
	return raw, nil
}

// readPage reads a page that nothing else in the tree is.
func (c *checker) readPage(id uint64) (page, error) {
	size := int64(c.meta.pageSize)
	if id < 2 || id >= c.meta.next {
		return page{}, fmt.Errorf("page %d is not one of %d", id, c.meta.next)
	}
	header, err := c.read(int64(id)*size, headerSize)
	if err != nil {
		return page{}, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(header[12:]))
	if is := binary.NativeEndian.Uint64(header); is != id || id+overflow >= c.meta.next {
		return page{}, fmt.Errorf("page %d says that it is page %d and %d more", id, is, overflow)
	}
	for i := id; i <= id+overflow; i++ {
		if c.used[i] {
			return page{}, fmt.Errorf("page %d is used twice", i)
		}
		c.used[i] = true
	}
	body, err := c.read(int64(id)*size+headerSize, int64(overflow+1)*size-headerSize)
	if err != nil {
		return page{}, err
	}
	return page{id: id, flags: binary.NativeEndian.Uint16(header[8:]), count: int(binary.NativeEndian.Uint16(header[10:])), elements: body}, nil
}

// walk checks a page and what hangs from it, whose keys begin with from.
func (c *checker) walk(id uint64, from []byte) error {
	p, err := c.readPage(id)
	if err != nil {
		return err
	}
	switch p.flags {
	case flagBranch:
		return c.walkBranch(p, from)
	case flagLeaf:
		return c.walkLeaf(p, from)
	}
	return fmt.Errorf("page %d is of no kind that belongs into a tree (%#x)", id, p.flags)
}

func (c *checker) walkBranch(p page, from []byte) error {
	if p.count == 0 {
		return fmt.Errorf("page %d is a branch without leaves", p.id)
	}
	for i := range p.count {
		at := i * elementSize
		if at+elementSize > len(p.elements) {
			return fmt.Errorf("page %d has no room for %d elements", p.id, p.count)
		}
		e := p.elements[at:]
		key, err := p.slice(at, binary.NativeEndian.Uint32(e), 0, binary.NativeEndian.Uint32(e[4:]))
		if err != nil {
			return err
		}
		if bytes.Compare(key, from) < 0 || i > 0 && bytes.Equal(key, from) {
			return fmt.Errorf("page %d: its keys are in disorder", p.id)
		}
		if err := c.walk(binary.NativeEndian.Uint64(e[8:]), key); err != nil {
			return err
		}
		from = key
	}
	return nil
}

func (c *checker) walkLeaf(p page, from []byte) error {
	for i := range p.count {
		at := i * elementSize
		if at+elementSize > len(p.elements) {
			return fmt.Errorf("page %d has no room for %d elements", p.id, p.count)
		}
		e := p.elements[at:]
		pos, keySize, valueSize := binary.NativeEndian.Uint32(e[4:]), binary.NativeEndian.Uint32(e[8:]), binary.NativeEndian.Uint32(e[12:])
		key, err := p.slice(at, pos, 0, keySize)
		if err != nil {
			return err
		}
		value, err := p.slice(at, pos, keySize, valueSize)
		if err != nil {
			return err
		}
		if bytes.Compare(key, from) < 0 || i > 0 && bytes.Equal(key, from) {
			return fmt.Errorf("page %d: its keys are in disorder", p.id)
		}
		from = key
		if binary.NativeEndian.Uint32(e)&leafBucket != 0 {
			if err := c.walkBucket(p.id, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// walkBucket checks a bucket: a small one has its only page in its value.
func (c *checker) walkBucket(id uint64, value []byte) error {
	if len(value) < bucketSize {
		return fmt.Errorf("page %d has a bucket of %d bytes", id, len(value))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return c.walk(root, nil)
	}
	inline := value[bucketSize:]
	if len(inline) < headerSize || binary.NativeEndian.Uint16(inline[8:]) != flagLeaf {
		return fmt.Errorf("page %d has a bucket without a leaf", id)
	}
	return c.walkLeaf(page{id: id, count: int(binary.NativeEndian.Uint16(inline[10:])), elements: inline[headerSize:]}, nil)
}

// slice is a part of the page; pos counts from the element at, skip from there.
func (p page) slice(at int, pos, skip, size uint32) ([]byte, error) {
	begin := uint64(at) + uint64(pos) + uint64(skip)
	if end := begin + uint64(size); end <= uint64(len(p.elements)) {
		return p.elements[begin:end], nil
	}
	return nil, fmt.Errorf("page %d has an element outside of it", p.id)
}

// checkFree checks the list of free pages: none of them is in use.
func (c *checker) checkFree() error {
	p, err := c.readPage(c.meta.freelist)
	if err != nil {
		return err
	}
	if p.flags != flagFreelist {
		return fmt.Errorf("page %d is no list of free pages (%#x)", p.id, p.flags)
	}
	ids, count := p.elements, uint64(p.count)
	if count == manyFree {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return fmt.Errorf("page %d has no room for %d free pages", p.id, count)
	}
	for i := range count {
		id := binary.NativeEndian.Uint64(ids[i*8:])
		if id < 2 || id >= c.meta.next || c.used[id] {
			return fmt.Errorf("page %d is in the list of free pages", id)
		}
		c.used[id] = true
	}
	return nil
}

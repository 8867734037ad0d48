package sqlite

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// This file follows chapter 1.6, "B-tree Pages", of
// https://www.sqlite.org/fileformat.html.

// The kinds of b-tree page: the values of the first byte.
const (
	indexInterior = 2
	tableInterior = 5
	indexLeaf     = 10
	tableLeaf     = 13
)

// fileHeaderSize is how many bytes of the first page come before its b-tree.
const fileHeaderSize = 100

// extent is a part of a page: the bytes from start up to, but without, end.
type extent struct{ start, end int }

// clearUnused overwrites the unused parts of a b-tree page with zeros, and reports
// whether that changed the page. It leaves every other page alone, and every page that
// it cannot account for to the last byte. usable is the size of the page without the
// bytes that are reserved at its end.
func clearUnused(page []byte, number, usable int) (changed bool) {
	if usable > len(page) {
		return false
	}
	unused, ok := unusedParts(page[:usable], number)
	if !ok {
		return false
	}
	for _, part := range unused {
		for i := part.start; i < part.end; i++ {
			changed = changed || page[i] != 0
			page[i] = 0
		}
	}
	return changed
}

// unusedParts lists the parts of a page that its cells do not use: the gap between the
// array of pointers and the cells, the inside of the free blocks, and the fragments
// between cells. It reports false unless each byte of the page belongs to exactly one
// of header, pointers, gap, cells, free blocks and fragments.
func unusedParts(page []byte, number int) (unused []extent, ok bool) {
	h, ok := readHeader(page, number)
	if !ok {
		return nil, false
	}
	taken := make([]extent, 0, h.cells+8)
	for i := range h.cells {
		start := int(binary.BigEndian.Uint16(page[h.pointers+2*i:]))
		if start < h.content || start >= len(page) {
			return nil, false
		}
		size, ok := cellSize(page[start:], h.kind, len(page))
		if !ok || start+size > len(page) {
			return nil, false
		}
		taken = append(taken, extent{start, start + size})
	}
	unused = append(unused, extent{h.pointers + 2*h.cells, h.content})
	for at := h.freeBlock; at != 0; {
		if at < h.content || at+4 > len(page) {
			return nil, false
		}
		next, end := int(binary.BigEndian.Uint16(page[at:])), at+int(binary.BigEndian.Uint16(page[at+2:]))
		if end < at+4 || end > len(page) || next != 0 && next < end {
			return nil, false
		}
		taken = append(taken, extent{at, end})
		unused = append(unused, extent{at + 4, end})
		at = next
	}
	slices.SortFunc(taken, func(a, b extent) int { return cmp.Compare(a.start, b.start) })
	at, fragments := h.content, 0
	for _, part := range append(taken, extent{len(page), len(page)}) {
		if part.start < at {
			return nil, false // two overlap
		}
		if part.start > at {
			unused = append(unused, extent{at, part.start})
			fragments += part.start - at
		}
		at = part.end
	}
	return unused, fragments == h.fragments
}

// pageHeader is the header of a b-tree page.
type pageHeader struct {
	kind      byte
	freeBlock int // the offset of the first free block, 0 if there is none
	cells     int
	content   int // the offset of the first cell
	fragments int // how many bytes they have together
	pointers  int // the offset of the array
}

func readHeader(page []byte, number int) (h pageHeader, ok bool) {
	at := 0
	if number == 1 {
		at = fileHeaderSize
	}
	if len(page) < at+12 {
		return h, false
	}
	h = pageHeader{
		kind:      page[at],
		freeBlock: int(binary.BigEndian.Uint16(page[at+1:])),
		cells:     int(binary.BigEndian.Uint16(page[at+3:])),
		content:   int(binary.BigEndian.Uint16(page[at+5:])),
		fragments: int(page[at+7]),
		pointers:  at + 8,
	}
	if h.content == 0 {
		h.content = 1 << 16
	}
	switch h.kind {
	case indexInterior, tableInterior:
		h.pointers += 4 // the right-most child
	case indexLeaf, tableLeaf:
	default:
		return h, false
	}
	return h, h.pointers+2*h.cells <= h.content && h.content <= len(page)
}

// cellSize returns how many bytes of its page the cell at the beginning of b takes.
func cellSize(b []byte, kind byte, usable int) (size int, ok bool) {
	if kind == indexInterior || kind == tableInterior {
		size = 4 // the left child
	}
	if size > len(b) {
		return 0, false
	}
	first, n := varint(b[size:])
	if size += n; n == 0 || kind == tableInterior {
		return size, n > 0 // first is the row's id; there is no payload
	}
	most := (usable-12)*64/255 - 23
	if kind == tableLeaf {
		_, n := varint(b[size:])
		if size += n; n == 0 {
			return 0, false
		}
		most = usable - 35
	}
	if first <= uint64(most) {
		return max(4, size+int(first)), true
	}
	// The rest of the payload is on overflow pages. The number of the first one
	// follows.
	least := (usable-12)*32/255 - 23
	local := least + int((first-uint64(least))%uint64(usable-4))
	if local > most {
		local = least
	}
	return size + local + 4, true
}

// varint decodes a number of one to nine bytes. n is how many bytes it has, 0 if b is
// too short.
func varint(b []byte) (value uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return value<<8 | uint64(b[i]), 9
		}
		value = value<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}

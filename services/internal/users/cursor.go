package users

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strconv"
)

// Cursor is a place in the list of users: behind the user with the id After. The
// zero Cursor is the list's beginning.
type Cursor struct {
	After int64
}

// cursorVersion is the first byte of an encoded cursor, so that another order
// of the list can be told from this one later.
const cursorVersion = 1

// cursorLen is version, id (8 bytes) and checksum (4).
const cursorLen = 1 + 8 + 4

// String returns the cursor's opaque text, 18 characters of URL-safe base64; ""
// for the zero Cursor. The checksum in it is no secret: it tells a cursor that
// was cut or typed from one that we made.
func (c Cursor) String() string {
	if c.After == 0 {
		return ""
	}
	b := make([]byte, 0, cursorLen)
	b = append(b, cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(c.After))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads the text that [Cursor.String] wrote. Any other text, but for
// the empty one, is an [ErrBadCursor].
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorLen {
		return Cursor{}, ErrBadCursor
	}
	c := Cursor{After: int64(binary.BigEndian.Uint64(b[1:]))}
	// Writing it again checks all the rest: version, checksum, spare bits, and
	// the line breaks that the decoder skips.
	if c.After <= 0 || c.String() != text {
		return Cursor{}, ErrBadCursor
	}
	return c, nil
}

// ParseID reads a user's id as it stands in a path: decimal digits without sign
// or leading zero, 1 to the largest int64. Anything else is an [ErrBadID].
func ParseID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != text {
		return 0, ErrBadID
	}
	return id, nil
}

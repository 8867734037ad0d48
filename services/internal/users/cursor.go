package users

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strconv"
)

// Cursor is a position in the list of users: after the user with the id After. The zero
// Cursor is the beginning of the list. Users become visible in the order of their ids, so
// that whoever has read up to a cursor misses nobody later: SQLite has one writer, and
// PostgreSQL's table a trigger (users_in_order).
type Cursor struct {
	After int64
}

// cursorVersion is the first byte of an encoded cursor. It lets later versions change
// the order of the list.
const cursorVersion = 1

// cursorLen is the length of an encoded cursor: version, id (8 bytes) and checksum (4).
const cursorLen = 1 + 8 + 4

// String returns the cursor's opaque text, 18 characters of URL-safe base64; "" for the
// zero Cursor. The checksum is no secret. It detects a cursor that was truncated or
// invented.
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

// ParseCursor decodes a text from [Cursor.String]. The empty text is the zero Cursor.
// Any other text is an [ErrBadCursor].
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorLen {
		return Cursor{}, ErrBadCursor
	}
	c := Cursor{After: int64(binary.BigEndian.Uint64(b[1:]))}
	// Encoding it again checks the rest: version, checksum, spare bits, and line
	// breaks, which the decoder ignores.
	if c.After <= 0 || c.String() != text {
		return Cursor{}, ErrBadCursor
	}
	return c, nil
}

// ParseID parses a user's id from a path. An id has decimal digits, without a sign or
// leading zeros, and is 1 to the largest int64. Anything else is an [ErrBadID].
func ParseID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != text {
		return 0, ErrBadID
	}
	return id, nil
}

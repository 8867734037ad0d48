package snapshot

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// mostPage bounds a page that is read, in bytes. One of the lab is below 3 MB.
const mostPage = 64 << 20

// encode writes bytes as text: compressed, in base64.
func encode(data []byte) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // a buffer takes it all
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// decode reads what encode has written.
func decode(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("a page that is not base64: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("a page that is not compressed: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, mostPage+1))
	if err != nil {
		return nil, fmt.Errorf("a page that is damaged: %w", err)
	}
	if len(data) > mostPage {
		return nil, fmt.Errorf("a page of more than %d MB", mostPage>>20)
	}
	return data, nil
}

// chunk is the length of one in bytes of base64, well below the 16 KiB at which a
// container's log breaks a line.
const chunk = 4096

// ToPage writes a page as the short strings of [Listing.Page]: compressed, in base64.
func ToPage(page []byte) []string {
	text := encode(page)
	all := []string{}
	for len(text) > chunk {
		all, text = append(all, text[:chunk]), text[chunk:]
	}
	return append(all, text)
}

// FromPage reads what [ToPage] has written. A listing without a page has an empty one.
func FromPage(chunks []string) ([]byte, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	return decode(strings.Join(chunks, ""))
}

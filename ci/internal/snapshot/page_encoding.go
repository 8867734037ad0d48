package snapshot

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// maxPageSize limits the size of a page that is decoded, in bytes. Pages of the lab have
// less than 3 MB.
const maxPageSize = 64 << 20

// encode compresses data with gzip and returns them in base64.
func encode(data []byte) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // writing to a buffer never fails
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// decode reverses encode.
func decode(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the page is not in base64: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("the page is not compressed: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxPageSize+1))
	if err != nil {
		return nil, fmt.Errorf("the page is damaged: %w", err)
	}
	if len(data) > maxPageSize {
		return nil, fmt.Errorf("the page has more than %d MB", maxPageSize>>20)
	}
	return data, nil
}

// chunk is the largest length of a string of [Listing.Page], in bytes. Containers' logs
// break lines of 16 KiB and more.
const chunk = 4096

// EncodePage compresses a page and splits it into the short strings of [Listing.Page].
func EncodePage(page []byte) []string {
	text := encode(page)
	all := []string{}
	for len(text) > chunk {
		all, text = append(all, text[:chunk]), text[chunk:]
	}
	return append(all, text)
}

// DecodePage reverses [EncodePage]. No strings are an empty page.
func DecodePage(chunks []string) ([]byte, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	return decode(strings.Join(chunks, ""))
}

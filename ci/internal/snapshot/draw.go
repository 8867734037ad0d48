package snapshot

import (
	"bytes"
	"context"
	"os"
)

// Draw takes a snapshot, draws its page, and returns the listing with that page.
func Draw(ctx context.Context, o Options) (Listing, error) {
	taken, err := Take(ctx, o)
	if err != nil {
		return Listing{}, err
	}
	var page bytes.Buffer
	if err := Write(&page, taken); err != nil {
		return Listing{}, err
	}
	l := taken.List()
	l.Page = EncodePage(page.Bytes())
	return l, nil
}

// ScreenshotFile writes a [Screenshot] of the page to the file png.
func ScreenshotFile(ctx context.Context, browser, page, png string) error {
	picture, err := Screenshot(ctx, browser, page)
	if err != nil {
		return err
	}
	return os.WriteFile(png, picture, 0o644)
}

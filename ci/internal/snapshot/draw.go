package snapshot

import (
	"bytes"
	"context"
	"os"
)

// Draw takes a snapshot and draws its page, which is in the listing.
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
	l.Page = ToPage(page.Bytes())
	return l, nil
}

// PictureFile writes what [Picture] returns to the file png.
func PictureFile(ctx context.Context, browser, page, png string) error {
	picture, err := Picture(ctx, browser, page)
	if err != nil {
		return err
	}
	return os.WriteFile(png, picture, 0o644)
}

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"
)

// ErrNoBrowser says that there is no Chromium or Chrome to draw a picture with.
var ErrNoBrowser = errors.New("no Chromium or Chrome here: put one on PATH (apt-get install chromium), or name it in CHROME")

const (
	// pictureWidth is that of a desk's screen.
	pictureWidth, pictureHeight = 1600, 1000
	// pictureWithin bounds the browser's start and its drawing.
	pictureWithin = 2 * time.Minute
)

// FindBrowser returns the path of a Chromium or Chrome: that of chosen, the value of
// the environment's CHROME, or the first on PATH. It returns ErrNoBrowser when there
// is none.
func FindBrowser(chosen string) (string, error) {
	for _, name := range []string{chosen, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoBrowser
}

// tallestPicture is where Chromium stops drawing, in pixels; a longer page is drawn
// smaller.
const tallestPicture = 16000

// Picture has the browser draw the page in a file, all of it, and returns the PNG.
func Picture(ctx context.Context, browser, file string) ([]byte, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(browser), chromedp.DisableGPU, chromedp.Flag("disable-component-update", true)}
	if os.Geteuid() == 0 {
		// Chromium's sandbox refuses root, which CI runners are. The page has no script.
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(options...))
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, pictureWithin)
	defer stop()
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(file)}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(pictureWidth, pictureHeight), chromedp.Navigate(address.String())); err != nil {
		return nil, fmt.Errorf("opening the page in %s: %w", browser, err)
	}
	height, err := chromedp.Run(ctx, chromedp.Evaluate[float64]("document.documentElement.scrollHeight"))
	if err == nil && height > tallestPicture {
		err = chromedp.Do(ctx, chromedp.EmulateViewport(pictureWidth, pictureHeight, chromedp.EmulateScale(tallestPicture/height)))
	}
	if err != nil {
		return nil, fmt.Errorf("measuring the page in %s: %w", browser, err)
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return nil, fmt.Errorf("drawing the page with %s: %w", browser, err)
	}
	return png, nil
}

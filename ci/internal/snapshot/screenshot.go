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
	// screenWidth and screenHeight are the size of the browser's window, in pixels.
	screenWidth, screenHeight = 1600, 1000
	// screenshotWithin is the time limit for the browser to start and to draw.
	screenshotWithin = 2 * time.Minute
)

// FindBrowser returns the path of a Chromium or Chrome: chosen, which is the value of
// the environment variable CHROME, or the first on PATH. It returns ErrNoBrowser if there
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

// tallestScreenshot is the height at which Chromium stops drawing, in pixels. Longer
// pages are scaled down.
const tallestScreenshot = 16000

// Screenshot has the browser draw all of the page in a file, and returns the PNG.
func Screenshot(ctx context.Context, browser, file string) ([]byte, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(browser), chromedp.DisableGPU, chromedp.Flag("disable-component-update", true)}
	if os.Geteuid() == 0 {
		// Chromium's sandbox refuses to run as root, as CI runners do. The page has no
		// script.
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(options...))
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, screenshotWithin)
	defer stop()
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(file)}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(screenWidth, screenHeight), chromedp.Navigate(address.String())); err != nil {
		return nil, fmt.Errorf("opening the page in %s: %w", browser, err)
	}
	height, err := chromedp.Run(ctx, chromedp.Evaluate[float64]("document.documentElement.scrollHeight"))
	if err == nil && height > tallestScreenshot {
		err = chromedp.Do(ctx, chromedp.EmulateViewport(screenWidth, screenHeight, chromedp.EmulateScale(tallestScreenshot/height)))
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

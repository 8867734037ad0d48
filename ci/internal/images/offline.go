package images

import (
	"context"
	"slices"
)

// Offline are the images of the lock that a machine without a registry needs for a
// cluster with the lab in it: the workloads', the nodes', and the base of our own.
func Offline() []string { return slices.Concat(Workloads(), []string{Node, Base}) }

// PullOffline fetches an image into dir in the form that it is used in: the base that
// others are built on as a layout of all platforms, and an image that runs as an
// archive for one platform.
func PullOffline(ctx context.Context, img Image, platform, dir string, o PullOptions) (Archive, error) {
	if img.Name == Base {
		return PullLayout(ctx, img, dir, o)
	}
	return Pull(ctx, img, platform, dir, o)
}

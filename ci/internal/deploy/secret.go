package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Secret returns the value of a key of the newest Secret that the lab has applied under
// that name, with or without a hash at the end of the name; "" when there is no such Secret.
func Secret(ctx context.Context, k Kubectl, namespace, name, key string) (string, error) {
	raw, err := k.Kubectl(ctx, nil, "get", "secrets", "--namespace="+namespace, "--selector="+Selector, "--ignore-not-found", "--output=json")
	if err != nil {
		return "", err
	}
	return newestSecret(raw, name, key)
}

func newestSecret(raw []byte, name, key string) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name              string
				CreationTimestamp time.Time
			}
			Data map[string][]byte
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", fmt.Errorf("reading the secret %s: %w", name, err)
	}
	var newest time.Time
	value := ""
	for _, s := range list.Items {
		if s.Metadata.Name != name && !strings.HasPrefix(s.Metadata.Name, name+"-") {
			continue
		}
		if v := s.Data[key]; len(v) > 0 && !s.Metadata.CreationTimestamp.Before(newest) {
			newest, value = s.Metadata.CreationTimestamp, string(v)
		}
	}
	return value, nil
}

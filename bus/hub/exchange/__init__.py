"""What hubs say to authors and to each other: receipts, requests, copies."""

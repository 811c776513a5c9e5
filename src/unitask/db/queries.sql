-- name: oldest_that_fits
select oldest from compatibility

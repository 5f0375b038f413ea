(SELECT id, arrayJoin(aliases) AS alias FROM services FINAL)

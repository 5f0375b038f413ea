-- The id under which its source told a run: that of the run, without the source that stands before an id which several
-- have, and without the number of the attempt.
replaceRegexpOne(if(startsWith(run, concat(source, ':')), substring(run, length(source) + 2), run), '#[0-9]+$', '')

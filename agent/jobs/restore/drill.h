// A restore drill: the backup becomes a throwaway database and a folder beside it, which are checked as a restore is,
// neutralized, and dropped. Nobody is stopped, nothing is started, and after kill -9 the sweep drops what is left.
#pragma once

#include <string>

#include "agent/jobs/jobs.h"
#include "agent/jobs/restore/opened_backup.h"
#include "agent/jobs/restore/side_filestore.h"
#include "agent/jobs/restore/target.h"

namespace backstay::restore {

class Drill {
public:
    // `backup` with sound origins only; `scratch`: a folder of the verification's own, removed at the end.
    Drill(const VerifyOrder& order, const JobHost& host, Steps& steps, const OpenedBackup& backup,
          ClusterConfig cluster, std::string scratch);

    Result<> run();

private:
    Result<> go();
    Result<> look();
    Result<Testimony> make();
    Result<> make_files();
    Result<Testimony> check();
    Result<> check_rows(pq::Connection& database, Testimony& testimony);
    Result<> check_files(pq::Connection& database, Testimony& testimony);
    Result<Testimony> neutralize_copy();
    Result<Testimony> drop();

    const VerifyOrder& order_;
    const JobHost& host_;
    Steps& steps_;
    const OpenedBackup& backup_;
    Target target_;
    std::optional<pq::Connection> connection_;  // holds the lock on the throwaway's name
    FilesMade files_;
};

}  // namespace backstay::restore

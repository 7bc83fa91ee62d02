mod course;
mod faults;
mod limits;
mod operator;
